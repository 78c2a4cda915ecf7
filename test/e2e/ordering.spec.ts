import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type AppProcess, startAgain } from '../support/app-processes.js';
import { Cluster } from '../support/cluster.js';
import { OrderedTraffic, type TrafficOptions } from '../support/ordered-traffic.js';
import { until } from '../support/until.js';

/*
 * Order across retries, on real servers, while things break: docs/ordering.md. Each test publishes numbered events of
 * many resources to an endpoint that fails one attempt in ten, and holds the order of first acceptances against them.
 */

const TEN_PERCENT: TrafficOptions = { resources: 200, rounds: 20, failRate: 0.1 };
/** Above the sessions of the test's processes: the group has given a frozen one's partitions away. */
const BEYOND_SESSION_MS = 14_000;

let cluster: Cluster;
const open: OrderedTraffic[] = [];

beforeAll(async () => {
  cluster = await Cluster.start();
}, 180_000);

afterEach(() => {
  for (const traffic of open.splice(0)) traffic.close();
});

afterAll(() => cluster?.stop(), 60_000);

async function traffic(options: TrafficOptions): Promise<OrderedTraffic> {
  const started = await OrderedTraffic.start(cluster, options);
  open.push(started);
  return started;
}

function expectOrder(seen: OrderedTraffic): void {
  expect({ accepted: seen.accepted.size, disorder: seen.disorder }).toEqual({ accepted: seen.published, disorder: 0 });
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('order per resource', () => {
  it('given one attempt in ten fails, then every resource is accepted in the order it was published, without a repeat', async () => {
    const seen = await traffic(TEN_PERCENT);
    await seen.publish();
    await seen.complete();

    expectOrder(seen);
    expect(seen.repeats).toBe(0);
    expect(seen.requests).toBeGreaterThan(seen.published);
  }, 180_000);

  it('given a dispatcher killed in the middle, then nothing is lost or out of order', async () => {
    const seen = await traffic({ ...TEN_PERCENT, roundMs: 300, answerMs: 30 });
    const dispatcher = cluster.app('dispatcher');
    let underWay = 0;
    let killed: Promise<void> = Promise.resolve();
    await seen.publish((round) => {
      if (round === 10) killed = killUnderWay();
    });
    async function killUnderWay(): Promise<void> {
      await until('attempts are under way', () => seen.underWay > 0);
      underWay = seen.underWay;
      await dispatcher.server.kill();
      await startAgain(dispatcher);
    }
    await killed;
    await seen.complete();

    expectOrder(seen);
    expect(underWay).toBeGreaterThan(0);
    expect(seen.repeats).toBeLessThan(300);
  }, 180_000);

  it('given two dispatchers, when one is frozen past its session and goes on, then only its last requests come late', async () => {
    const second = await cluster.add('dispatcher', 1);
    const seen = await traffic({ ...TEN_PERCENT, roundMs: 850 });
    let thawed: Promise<void> = Promise.resolve();
    await seen.publish((round) => {
      if (round !== 2) return;
      second.server.child?.signalGroup('SIGSTOP');
      thawed = wait(BEYOND_SESSION_MS).then(() => second.server.child?.signalGroup('SIGCONT'));
    });
    await thawed;
    await seen.complete();
    await cluster.remove(second);

    expectOrder(seen);
  }, 180_000);

  it('given PostgreSQL away for 20 s, then what needs it waits, and everything goes on in order afterwards', async () => {
    const seen = await traffic({ ...TEN_PERCENT, roundMs: 1_100 });
    let back: Promise<void> = Promise.resolve();
    await seen.publish(async (round) => {
      if (round !== 1) return;
      await cluster.postgres.kill();
      back = wait(20_000).then(() => cluster.postgres.start());
    });
    await back;
    await seen.complete();

    expectOrder(seen);
  }, 240_000);

  it('given Kafka restarted, then nothing acknowledged is lost or out of order', async () => {
    const seen = await traffic({ ...TEN_PERCENT, roundMs: 300 });
    await seen.publish(async (round) => {
      if (round === 8) await cluster.kafka.restart();
    });
    await seen.complete();

    expectOrder(seen);
  }, 240_000);

  it('given one dispatcher, then three, then one again under load, then order is kept', async () => {
    const seen = await traffic({ ...TEN_PERCENT, roundMs: 1_200 });
    const added: AppProcess[] = [];
    await seen.publish(async (round) => {
      if (round === 3 || round === 6) added.push(await cluster.add('dispatcher', 100 + round));
      const last = round === 11 || round === 15 ? added.pop() : undefined;
      if (last) await cluster.remove(last);
    });
    await seen.complete();

    expectOrder(seen);
  }, 240_000);
});

describe('strict order and none', () => {
  it('given ordering "endpoint", then all its events are accepted in one order although some fail', async () => {
    const seen = await traffic({ resources: 1, rounds: 60, failRate: 0.1, ordering: 'endpoint' });
    await seen.publish();
    await seen.complete();

    expectOrder(seen);
  }, 120_000);

  it('given ordering "none", then no event waits for another one that fails', async () => {
    const seen = await traffic({ resources: 1, rounds: 100, failRate: 0.3, ordering: 'none' });
    await seen.publish();
    await seen.complete();

    expect(seen.accepted.size).toBe(seen.published);
    expect(seen.disorder).toBeGreaterThan(0);
  }, 120_000);
});

/** Long enough for thousands to wait. The two minutes of the promise are a run of their own (docs/ordering.md). */
const DOWN_MS = Number(process.env.POSTHORN_DOWN_MS ?? 20_000);

describe('an endpoint that is down', () => {
  it('given 500 events a second to it, then they wait, drain in order when it is back, and a neighbour notices nothing', async () => {
    const rounds = Math.ceil(DOWN_MS / 1_000) + 4;
    const broken = await traffic({
      resources: 500,
      rounds,
      roundMs: 1_000,
      endpoint: { retry_policy: { delays_s: Array.from({ length: 49 }, () => 4) } },
    });
    const neighbour = await traffic({ resources: 20, rounds, roundMs: 1_000 });
    broken.isDown = true;
    setTimeout(() => {
      broken.isDown = false;
    }, DOWN_MS);
    const published = Promise.all([broken.publish(), neighbour.publish()]);
    await until(
      'the neighbour got everything while the other is down',
      () => neighbour.accepted.size >= 20 * 10,
      DOWN_MS,
    );
    expect(broken.accepted.size).toBe(0);
    await published;
    await neighbour.complete(20_000);
    await broken.complete(240_000);

    expectOrder(neighbour);
    expectOrder(broken);
    expect(neighbour.repeats).toBe(0);
  }, 600_000);
});
