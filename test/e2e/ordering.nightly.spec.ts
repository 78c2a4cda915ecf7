import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AppProcess } from '../support/app-processes.js';
import { Cluster } from '../support/cluster.js';
import { TEN_PERCENT } from '../support/ordered-traffic.js';
import { until } from '../support/until.js';
import { expectOrder, useTraffic } from '../support/use-traffic.js';

/* As ordering.spec.ts, with longer outages: docs/ordering.md. */

/** Longer than the sessions of the test's processes: the group reassigns a frozen member's partitions. */
const BEYOND_SESSION_MS = 14_000;

let cluster: Cluster;
const traffic = useTraffic(() => cluster);

beforeAll(async () => {
  cluster = await Cluster.start();
}, 180_000);

afterAll(() => cluster?.stop(), 60_000);

describe('order per resource', () => {
  it('given two dispatchers, when one is frozen past its session and resumes, then only its last requests come late', async () => {
    const second = await cluster.add('dispatcher', 1);
    const seen = await traffic({ ...TEN_PERCENT, roundMs: 850 });
    let thawed: Promise<void> = Promise.resolve();
    await seen.publish((round) => {
      if (round !== 2) return;
      second.server.child?.signalGroup('SIGSTOP');
      thawed = delay(BEYOND_SESSION_MS).then(() => second.server.child?.signalGroup('SIGCONT'));
    });
    await thawed;
    await seen.complete();
    await cluster.remove(second);

    expectOrder(seen);
  }, 180_000);

  it('given PostgreSQL away for 20 s, then lanes that need it wait, and all events are delivered in order afterwards', async () => {
    const seen = await traffic({ ...TEN_PERCENT, roundMs: 1_100 });
    let back: Promise<void> = Promise.resolve();
    await seen.publish(async (round) => {
      if (round !== 1) return;
      await cluster.postgres.kill();
      back = delay(20_000).then(() => cluster.postgres.start());
    });
    await back;
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

/**
 * Long enough for thousands of waiting events. A separate run has the two minutes of the promise (docs/ordering.md).
 */
const DOWN_MS = Number(process.env.POSTHORN_DOWN_MS ?? 20_000);

describe('an endpoint that is down', () => {
  it('given 500 events a second for a down endpoint, then they wait and drain in order later, without delay for a neighbour', async () => {
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
