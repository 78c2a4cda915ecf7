import { appendFileSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { readPlan } from './harness/plan.js';
import { rowOf } from './harness/row.js';
import { Tormentor } from './harness/tormentor.js';
import type { Evidence } from './judge/evidence.js';
import { judge } from './judge/judge.js';
import { reportText } from './judge/report.js';
import type { FindingKind, Verdict } from './judge/verdict.js';
import { BUG_NAMES, BUGS, type Bug, type BugName } from './planted/bugs.js';
import { plantedBuild } from './planted/planted-build.js';

/*
 * `npm run torture -- --planted`: whether the judge can be trusted. Each bug is planted in a copy of the built apps, and a
 * fault brings it to light; the judge must find it. It must find nothing where the same faults meet the apps as they are.
 */

const RUN_LIMIT_MS = 420_000;

const plan = readPlan(process.env);
const asked = process.env.TORTURE_BUGS?.split(',');
const names = BUG_NAMES.filter((name) => asked?.includes(name) ?? true);
const faults = [...new Set(names.map((name) => BUGS[name].fault))];

/** @returns the kinds of what was found */
function tell(evidence: Evidence, verdict: Verdict, fault: string, bug?: BugName): Set<FindingKind> {
  const found = new Set(Object.values(verdict.promises).flatMap(({ findings }) => findings.map(({ kind }) => kind)));
  const row = { ...rowOf(fault, plan.brokers, verdict, evidence), ...(bug && { bug, found: [...found] }) };
  if (plan.report) appendFileSync(plan.report, `${JSON.stringify(row)}\n`);
  // Jest shows a file's results when the last one is there, which is minutes later.
  process.stderr.write(`${bug ? `with ${bug}: ` : ''}${reportText(verdict, evidence)}\n`);
  return found;
}

describe('the apps as they are', () => {
  const tormentor = new Tormentor(plan);
  afterAll(() => tormentor.stop(), 60_000);

  it.each(faults)(
    'given %s, then every promise is kept',
    async (fault) => {
      const evidence = await tormentor.torment(fault);
      const verdict = judge(evidence);
      tell(evidence, verdict, fault);
      expect(verdict.outcome).toBe('kept');
    },
    RUN_LIMIT_MS,
  );
});

describe('the apps with a bug', () => {
  let end: () => Promise<void> = () => Promise.resolve();
  afterEach(() => end(), 60_000);

  async function suffer(name: BugName): Promise<Evidence> {
    const build = plantedBuild(name, [BUGS[name].patch]);
    const tormentor = new Tormentor(plan, build.home);
    end = async () => {
      await tormentor.stop();
      build.remove();
    };
    return tormentor.torment(BUGS[name].fault);
  }

  it.each(names)(
    'given %s, then it is found',
    async (name) => {
      const { findings: telling, failure }: Bug = BUGS[name];
      if (failure !== undefined) {
        await expect(suffer(name)).rejects.toThrow(failure);
        return;
      }
      const evidence = await suffer(name);
      const verdict = judge(evidence);
      const found = tell(evidence, verdict, BUGS[name].fault, name);
      expect({ outcome: verdict.outcome, isFound: telling.some((kind) => found.has(kind)) }).toEqual({
        outcome: 'broken',
        isFound: true,
      });
    },
    RUN_LIMIT_MS,
  );
});
