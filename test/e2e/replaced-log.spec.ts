import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadConfig } from '#common/config/env.js';
import { positionOf } from '#common/domain/position.js';
import { kafkaSettings } from '#common/kafka/port/settings.js';
import { Database } from '#common/postgres/database.js';
import { configSchema } from '../../apps/ingest/src/config.js';
import { appSettings, Cluster } from '../support/cluster.js';
import type { OrderedTraffic, TrafficOptions } from '../support/ordered-traffic.js';
import { recreateTopics } from '../support/recreate-topics.js';
import { until } from '../support/until.js';
import { useTraffic } from '../support/use-traffic.js';

/*
 * Kafka's logs are replaced, and PostgreSQL stays. Waiting deliveries are carried over, in order, before new ones, and
 * no new delivery is mistaken for a stale one. Without generations, the lanes treated nearly all new deliveries of a
 * failing endpoint as over.
 */

const WAITING: TrafficOptions = { resources: 20, rounds: 8 };

let cluster: Cluster;
let database: Database;
const start = useTraffic(() => cluster);
const traffic = (options: Partial<TrafficOptions> = {}) => start({ ...WAITING, ...options });

beforeAll(async () => {
  cluster = await Cluster.start();
  database = new Database({ url: cluster.postgres.url, poolSize: 2, applicationName: 'test' });
}, 180_000);

afterAll(async () => {
  await database?.close();
  await cluster?.stop();
}, 60_000);

async function recreate(topic: string): Promise<void> {
  const env = appSettings(cluster.kafka.brokers, cluster.postgres.url, 'unused');
  const life = { topicsReady: Promise.resolve(), onFatal: () => undefined };
  await recreateTopics(kafkaSettings('test', loadConfig(configSchema, env), life), [topic]);
}

async function count(sql: string, ...params: unknown[]): Promise<number> {
  const [row] = await database.query<{ count: number }>(`SELECT count(*) AS count FROM ${sql}`, params);
  return row?.count ?? 0;
}

/** Makes heads in tiers, parked followers, unordered deliveries in tiers, and pending deliveries. */
async function waitingOfAllKinds() {
  const down = await traffic();
  const unordered = await traffic({ ordering: 'none', endpoint: { retry_policy: { delays_s: [4, 4, 20, 20, 20] } } });
  const fresh = await traffic();
  const all = [down, unordered, fresh];
  down.isDown = true;
  unordered.isDown = true;
  await Promise.all([down.publish(), unordered.publish()]);
  const { resources, rounds } = WAITING;
  const parked = resources * (rounds - 1);
  await until(
    'heads and followers wait',
    async () =>
      (await count('lane_rows WHERE endpoint_id = $1 AND attempt IS NOT NULL', down.endpointId)) === resources &&
      (await count('parked_deliveries WHERE endpoint_id = $1', down.endpointId)) >= parked &&
      (await count(`deliveries WHERE endpoint_id = $1 AND status = 'retrying'`, unordered.endpointId)) ===
        unordered.published,
    60_000,
  );
  await cluster.app('dispatcher').server.stop();
  await Promise.all([down.publish(), fresh.publish()]);
  await until(
    'all are archived',
    async () =>
      (await count(
        'events WHERE type = ANY($1)',
        all.map(({ eventType }) => eventType),
      )) === all.reduce((sum, { published }) => sum + published, 0),
    60_000,
  );
  return all;
}

async function expectAllInOrder(all: readonly OrderedTraffic[]): Promise<void> {
  for (const one of all) one.isDown = false;
  await Promise.all(all.map((one) => one.publish()));
  await Promise.all(all.map((one) => one.complete()));
  const [down, unordered, fresh] = all;
  expect([down?.disorder, fresh?.disorder]).toEqual([0, 0]);
  expect(all.map(({ accepted, published }) => published - accepted.size)).toEqual([0, 0, 0]);
  expect(await count('dead_letters')).toBe(0);
  await until(
    'no delivery is pending',
    async () =>
      (await count(`deliveries WHERE status = 'delivered'`)) ===
      (await count('events e CROSS JOIN unnest(e.endpoint_ids)')),
    60_000,
  );
  expect(unordered?.repeats).toBeLessThan(20);
}

describe('a replaced log', () => {
  it('given the topic deliveries recreated, then waiting deliveries are delivered in order, and new ones after them', async () => {
    const all = await waitingOfAllKinds();
    await recreate('deliveries');
    await cluster.app('dispatcher').server.start();

    await expectAllInOrder(all);
    expect(await count(`log_generations WHERE topic = 'deliveries' AND carried_at IS NOT NULL`)).toBe(2);
  }, 300_000);

  it('given a tier recreated while the apps run, then its deliveries are delivered, and lanes keep their order', async () => {
    const endpoint = { retry_policy: { delays_s: [20, 20, 20] } };
    const ordered = await traffic({ rounds: 2, endpoint });
    const unordered = await traffic({ rounds: 2, ordering: 'none', endpoint });
    const all = [ordered, unordered];
    for (const one of all) one.isDown = true;
    await Promise.all(all.map((one) => one.publish()));
    const { resources } = WAITING;
    await until(
      'all wait in the tier',
      async () =>
        (await count(`deliveries WHERE status = 'retrying' AND endpoint_id = $1`, ordered.endpointId)) === resources &&
        (await count(`deliveries WHERE status = 'retrying' AND endpoint_id = $1`, unordered.endpointId)) ===
          unordered.published,
      60_000,
    );
    await recreate('retry-16s');
    for (const one of all) one.isDown = false;

    await Promise.all(all.map((one) => one.complete(60_000)));
    expect(ordered.disorder).toBe(0);
    expect(all.map(({ repeats }) => repeats)).toEqual([0, 0]);
    expect(await count(`log_generations WHERE topic = 'retry-16s'`)).toBe(2);
  }, 240_000);

  it('given the topic deliveries recreated with attempts in flight, then no delivery is lost, and lanes keep their order', async () => {
    const busy = await traffic({ rounds: 40, roundMs: 250, failRate: 0.2, answerMs: 20 });
    const down = await traffic();
    down.isDown = true;
    const generations = await count(`log_generations WHERE topic = 'deliveries'`);
    const published = Promise.all([
      down.publish(),
      busy.publish(async (round) => {
        if (round === 15) await recreate('deliveries');
      }),
    ]);
    await published;
    await until(
      'the new log is carried over',
      async () =>
        (await count(`log_generations WHERE topic = 'deliveries' AND carried_at IS NOT NULL`)) === generations + 1,
      60_000,
    );
    down.isDown = false;
    await Promise.all([busy, down].map((one) => one.publish()));

    await Promise.all([busy, down].map((one) => one.complete()));
    expect([busy.disorder, down.disorder]).toEqual([0, 0]);
    expect(await count('dead_letters')).toBe(0);
    await until(
      'no delivery is pending',
      async () =>
        (await count(`deliveries WHERE status = 'delivered'`)) ===
        (await count('events e CROSS JOIN unnest(e.endpoint_ids)')),
      60_000,
    );
  }, 300_000);

  it('given a Kafka without its data, then waiting deliveries are delivered in order, and sequences grow', async () => {
    const all = await waitingOfAllKinds();
    await cluster.replaceKafka();

    await expectAllInOrder(all);
    const [row] = await database.query<{ highest: number }>('SELECT max(source_offset) AS highest FROM events');
    expect(row?.highest).toBeGreaterThanOrEqual(positionOf(1, 0));
    expect(row?.highest).toBeLessThan(positionOf(2, 0));
  }, 300_000);
});
