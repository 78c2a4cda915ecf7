import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startAgain } from '../support/app-processes.js';
import { Cluster } from '../support/cluster.js';
import { TEN_PERCENT } from '../support/ordered-traffic.js';
import { until } from '../support/until.js';
import { expectOrder, useTraffic } from '../support/use-traffic.js';

/*
 * Order across retries, on real servers with faults: docs/ordering.md. Each test publishes numbered events of many
 * resources to an endpoint that fails one attempt in ten, and checks the order of first acceptances. Longer outages are
 * in ordering.nightly.spec.ts.
 */

let cluster: Cluster;
const traffic = useTraffic(() => cluster);

beforeAll(async () => {
  cluster = await Cluster.start();
}, 180_000);

afterAll(() => cluster?.stop(), 60_000);

describe('order per resource', () => {
  it('given one attempt in ten fails, then every resource is accepted in the order it was published, without a repeat', async () => {
    const seen = await traffic(TEN_PERCENT);
    await seen.publish();
    await seen.complete();

    expectOrder(seen);
    expect(seen.repeats).toBe(0);
    expect(seen.requests).toBeGreaterThan(seen.published);
  }, 180_000);

  it('given a dispatcher killed under load, then no event is lost or out of order', async () => {
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

  it('given Kafka restarted, then no acknowledged event is lost or out of order', async () => {
    const seen = await traffic({ ...TEN_PERCENT, roundMs: 300 });
    await seen.publish(async (round) => {
      if (round === 8) await cluster.kafka.restart();
    });
    await seen.complete();

    expectOrder(seen);
  }, 240_000);
});

describe('strict order and none', () => {
  it('given ordering "endpoint", then the endpoint accepts all events in one order although some attempts fail', async () => {
    const seen = await traffic({ resources: 1, rounds: 60, failRate: 0.1, ordering: 'endpoint' });
    await seen.publish();
    await seen.complete();

    expectOrder(seen);
  }, 120_000);

  it('given ordering "none", then no event waits for another event that fails', async () => {
    const seen = await traffic({ resources: 1, rounds: 100, failRate: 0.3, ordering: 'none' });
    await seen.publish();
    await seen.complete();

    expect(seen.accepted.size).toBe(seen.published);
    expect(seen.disorder).toBeGreaterThan(0);
  }, 120_000);
});
