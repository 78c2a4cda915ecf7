import { optionsOrExit } from '../lib/options.mjs';
import { type Case, casesOf } from './neighbours/cases.ts';
import { type Measured, measure } from './neighbours/measure.ts';
import { report } from './neighbours/report.ts';
import { Stage } from './neighbours/stage.ts';

/** Warm-up of a stage: code is compiled and connections are open. */
const WARM_UP_S = 12;
const WARM_UP: Case = {
  name: 'warm-up',
  row: 'endpoints',
  perSecond: 250,
  neighbours: { endpoints: 3, behaviour: 'after/0', flood: { perSecond: 500 } },
};

/**
 * Measures how long the events of a watched endpoint take beside neighbours: endpoints of its tenant with the same events,
 * and tenants that flood the system.
 *
 * @param args `--seconds` of each case, `--only` part of a case's name
 * @returns whether every promise was kept
 */
export async function run(args: string[]): Promise<boolean> {
  const options = { seconds: { type: 'string', default: '60' }, only: { type: 'string', default: '' } } as const;
  const values = optionsOrExit(options, { args });
  const seconds = Number(values.seconds);
  const cases = casesOf(values.only);
  console.log(`${cases.length} cases of ${seconds} s`);
  const all: Measured[] = [];
  let stage: Stage | undefined;
  try {
    for (const each of cases) {
      stage ??= await warmStage();
      const { measured, isClear } = await measure(stage, each, seconds);
      all.push(measured);
      const { p50, p99 } = measured.latency;
      console.log(`${each.name}: p50 ${p50} ms, p99 ${p99} ms, throughput ${measured.throughput}`);
      // Another case would measure this one's backlog.
      if (isClear) continue;
      await stage.stop();
      stage = undefined;
    }
  } finally {
    await stage?.stop();
  }
  return report(all, seconds);
}

async function warmStage(): Promise<Stage> {
  const stage = await Stage.start();
  try {
    await measure(stage, WARM_UP, WARM_UP_S);
  } catch (error) {
    await stage.stop();
    throw error;
  }
  return stage;
}
