import { appendFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TortureRow } from '../../scripts/torture/table.js';
import { readPlan } from './harness/plan.js';
import { rowOf, withoutVerdict } from './harness/row.js';
import { Tormentor } from './harness/tormentor.js';
import { judge } from './judge/judge.js';
import { reportText } from './judge/report.js';

/*
 * `npm run torture`: one system, and one run per fault, each with its own endpoints, load and evidence.
 */

const START_LIMIT_MS = 120_000;
const RUN_LIMIT_MS = 300_000;

const plan = readPlan(process.env);
const tormentor = new Tormentor(plan);

beforeAll(() => tormentor.start(), START_LIMIT_MS);
afterAll(() => tormentor.stop(), 60_000);

describe(`torture with seed ${plan.seed}`, () => {
  it.each(plan.faults)(
    '%s',
    async (name) => {
      let row = await run(name);
      // A fault that hit an idle process proves nothing, so the run is repeated.
      if (row.outcome === 'void') row = await run(name);
      const isKept = row.outcome === 'kept';
      if (!isKept) await tormentor.stop();
      expect({ outcome: row.outcome, reasons: row.reasons }).toEqual({ outcome: 'kept', reasons: [] });
    },
    RUN_LIMIT_MS,
  );
});

/** Runs one fault and prints its verdict. @returns the verdict */
async function run(name: string): Promise<TortureRow> {
  const evidence = await tormentor.torment(name).catch((error: unknown) => {
    if (plan.report) appendFileSync(plan.report, `${JSON.stringify(withoutVerdict(name, plan, error))}\n`);
    throw error;
  });
  const verdict = judge(evidence);
  const text = reportText(verdict, evidence);
  const row = rowOf(name, plan.brokers, verdict, evidence);
  if (plan.report) appendFileSync(plan.report, `${JSON.stringify(row)}\n`);
  // Prints the result at once: Jest shows the results of a file only at its end, minutes later.
  process.stderr.write(`${row.outcome === 'kept' ? text.split('\n', 1)[0] : [text, ...row.reasons].join('\n')}\n`);
  return row;
}
