import { runSql } from '../../../scripts/lib/postgres.mjs';
import { until } from '../../support/until.js';
import type { Fault, Scene } from './fault.js';

const BREAKER = { threshold: 5, cooldown_s: 3, max_cooldown_s: 3 };
/** Longer than the interval between checks for probes: several probes would overlap. */
const PROBE_MS = 1_500;
const FAILING_MS = 16_000;
/** Above the lease of a probe (`lane-limits.ts`): a killed dispatcher keeps the permit until its lease ends. */
const STATE_LIMIT_MS = 60_000;
/** Longer than an attempt may take. */
const HANGING_MS = 14_000;
/** Far below the 10 s timeout of a hanging endpoint, and far above the latency of a busy machine. */
const ISOLATION_MS = 5_000;
/** Time until statements of several lanes wait. */
const PILING_MS = 1_000;
const TAKEN_OVER_LIMIT_MS = 40_000;
/** Time until the new owner has delivered the old owner's attempts. */
const DELIVERED_MS = 3_000;

/** Faults of endpoints that are held or hang, and of a dispatcher that writes too late. */
export const HOLD_FAULTS = {
  breaker: { mustJudge: ['P5'], inject: breaker },
  'bad-endpoints': { budgets: { isolationMs: ISOLATION_MS }, mustJudge: ['P4'], inject: badEndpoints },
  'late-writes': { inject: lateWrites },
} satisfies Record<string, Fault>;

/** A breaker opens, probes fail, a dispatcher is killed during half-open, and a probe succeeds. */
async function breaker(scene: Scene): Promise<void> {
  const { run, system } = scene;
  const { flaky } = run.endpoints;
  const body = { breaker: BREAKER, retry_policy: { delays_s: [0.3] } };
  await system.apps.call('control', `/v1/endpoints/${flaky.id}`, { method: 'PATCH', body });
  const stateOf = async () => {
    const health = await system.apps.call<{ breaker: { state: string } }>(
      'control',
      `/v1/endpoints/${flaky.id}/health`,
    );
    return health.breaker.state;
  };
  const once = (state: string) =>
    until(`the breaker is ${state}`, async () => (await stateOf()) === state, STATE_LIMIT_MS);
  await scene.during({ kind: 'bad_endpoint', target: flaky.hook }, async () => {
    await run.receiver.behave(flaky.hook, { kind: 'status', status: 500, answerMs: PROBE_MS });
    await once('open');
    await scene.last(FAILING_MS);
    await once('half_open');
    await system.supervised.kill(scene.app('dispatcher', 0));
    await run.receiver.behave(flaky.hook, { kind: 'healthy', answerMs: PROBE_MS });
    await system.supervised.allReady();
    await once('closed');
    return 1;
  });
  await run.receiver.behave(flaky.hook, { kind: 'healthy' });
}

/** One endpoint hangs, one is down; the others must keep their latency. */
async function badEndpoints(scene: Scene): Promise<void> {
  const { run } = scene;
  const { flaky } = run.endpoints;
  await scene.during({ kind: 'bad_endpoint', target: flaky.hook }, async () => {
    await run.receiver.behave(flaky.hook, { kind: 'hang' });
    await scene.last(HANGING_MS);
    const { open = 0 } = (await run.receiver.count())[flaky.hook] ?? {};
    await run.receiver.behave(flaky.hook, { kind: 'healthy' });
    return open;
  });
}

/**
 * A dispatcher's statements reach PostgreSQL after it lost its partitions. Its link freezes, then its process. When
 * others own its partitions, the link lets the statements pass.
 */
async function lateWrites(scene: Scene): Promise<void> {
  const { run, system, random } = scene;
  const { flaky } = run.endpoints;
  const dispatcher = scene.app('dispatcher', 1);
  const epochs = async () => {
    const [row] = await runSql(system.postgresUrl, 'SELECT sum(epoch)::int AS sum FROM lane_logs');
    return Number(row?.sum);
  };
  await run.receiver.behave(flaky.hook, { kind: 'failing', rate: 0.5, seed: random.pick(1_000) });
  await scene.during({ kind: 'freeze', target: `${dispatcher.name}→postgres, then ${dispatcher.name}` }, async () => {
    const client = /^dispatcher-1$/;
    const held = system.postgresLink.open(client);
    const lift = system.postgresLink.impose({ kind: 'freeze', client });
    await scene.last(PILING_MS);
    const before = await epochs();
    system.supervised.freeze(dispatcher);
    // The successor delivers its failed deliveries: the heads and followers are over when its statements name them.
    await run.receiver.behave(flaky.hook, { kind: 'healthy' });
    await until('others own what was its own', async () => (await epochs()) > before, TAKEN_OVER_LIMIT_MS);
    await scene.last(DELIVERED_MS);
    lift();
    await scene.last(PILING_MS);
    system.supervised.thaw(dispatcher);
    return held;
  });
}
