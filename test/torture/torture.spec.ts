import { appendFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Random } from '../../libs/common/src/domain/testing/random.js';
import { type Fault, Scene } from './faults/fault.js';
import { faultOf } from './faults/faults.js';
import { Quiet } from './harness/quiet.js';
import { simpleJudgement } from './harness/simple-judgement.js';
import { TortureRun } from './harness/torture-run.js';
import { TortureSystem } from './harness/torture-system.js';
import { readPlan } from './plan.js';

/*
 * `npm run torture`: one system, and one run for each fault, with endpoints, load and evidence of its own. A run that breaks
 * a promise ends the system it broke; the next one gets a new one.
 */

const plan = readPlan(process.env);
const START_LIMIT_MS = 120_000;
const RUN_LIMIT_MS = 300_000;

let system: TortureSystem | undefined;
let quiet: Quiet | undefined;

async function stop(): Promise<void> {
  await quiet?.stop();
  await system?.stop();
  system = undefined;
}

async function start(): Promise<TortureSystem> {
  if (system === undefined) {
    system = await TortureSystem.start(plan.brokers);
    quiet = await Quiet.of(system);
  }
  return system;
}

beforeAll(() => start(), START_LIMIT_MS);
afterAll(stop, 60_000);

describe(`torture with seed ${plan.seed}`, () => {
  it.each(plan.faults)(
    '%s',
    async (name) => {
      const seconds = (ms: number | undefined) => (ms === undefined ? '-' : (ms / 1_000).toFixed(1));
      const run = await TortureRun.open(await start(), `${name}-${plan.seed}`, plan.seed);
      await torment(run, faultOf(name));
      const judged = await simpleJudgement(run);
      const fired = run.faults.map(
        (f) => `${f.kind} ${f.target} ${f.to - f.from}ms fired ${f.fired} inflight ${f.inFlight}`,
      );
      const rest = run.quietAt === undefined ? await quiet?.remainder() : '';
      const exits = run.system.supervised.events.filter(({ kind, at }) => kind === 'exited' && at > run.startedAt);
      process.stderr.write(
        `${name} ${seconds(Date.now() - run.startedAt)} quiet ${seconds(run.quietAt && run.quietAt - run.loadEndedAt)} acked ${run.load.acknowledged.length} fails ${run.load.failures} ${JSON.stringify(judged)} ${rest} exits ${exits.map((e) => e.process)}\n  ${fired.join('\n  ')}\n`,
      );
      await run.close();
      expect(run.quietAt).toBeDefined();
    },
    RUN_LIMIT_MS,
  );
});

async function torment(run: TortureRun, fault: Fault): Promise<void> {
  const scene = new Scene(run.system, run, new Random(plan.seed));
  await scene.last(plan.steadyMs);
  await run.receiver.behave(run.endpoints.down.hook, { kind: 'down' });
  try {
    await fault.inject(scene);
  } finally {
    run.system.heal();
    await run.receiver.behave(run.endpoints.down.hook, { kind: 'healthy' });
  }
  await scene.last(plan.afterMs);
  if (quiet) await run.drain(quiet);
}

void appendFileSync;
