import { appendFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TortureRow } from '../../scripts/torture/table.js';
import { readPlan } from './harness/plan.js';
import { rowOf, withoutVerdict } from './harness/row.js';
import { Tormentor } from './harness/tormentor.js';
import { judge } from './judge/judge.js';
import { reportText } from './judge/report.js';

/*
 * `npm run torture`: one system, and one run for each fault, with endpoints, load and evidence of its own.
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
      // A process that happened to have nothing to do proves nothing, either way.
      if (row.outcome === 'void') row = await run(name);
      const isKept = row.outcome === 'kept';
      if (!isKept) await tormentor.stop();
      expect({ outcome: row.outcome, reasons: row.reasons }).toEqual({ outcome: 'kept', reasons: [] });
    },
    RUN_LIMIT_MS,
  );
});

/** @returns what came of one run, which it has told */
async function run(name: string): Promise<TortureRow> {
  const evidence = await tormentor.torment(name).catch((error: unknown) => {
    if (plan.report) appendFileSync(plan.report, `${JSON.stringify(withoutVerdict(name, plan, error))}\n`);
    throw error;
  });
  const verdict = judge(evidence);
  const text = reportText(verdict, evidence);
  const row = rowOf(name, plan.brokers, verdict, evidence);
  if (plan.report) appendFileSync(plan.report, `${JSON.stringify(row)}\n`);
  // Jest shows a file's results when the last one is there, which is minutes later.
  process.stderr.write(`${row.outcome === 'kept' ? text.split('\n', 1)[0] : [text, ...row.reasons].join('\n')}\n`);
  return row;
}
