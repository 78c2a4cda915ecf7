import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Admin } from 'kafkajs';
import { loadConfig } from '#common/config/env.js';
import { generationOf, positionOf } from '#common/domain/position.js';
import { kafkaSettings } from '#common/kafka/port/settings.js';
import { Database } from '#common/postgres/database.js';
import { configSchema } from '../../apps/ingest/src/config.js';
import { kafkaClient } from '../../scripts/lib/kafka-client.js';
import { appSettings, Cluster } from '../support/cluster.js';
import { OrderedTraffic } from '../support/ordered-traffic.js';
import { recreateTopics } from '../support/recreate-topics.js';
import { until } from '../support/until.js';

/*
 * A topic loses a tail that was read, as after a restored data directory or an unclean leader election, and grows past
 * it again. Its topic id stays, so the same offsets now belong to other records than those in PostgreSQL.
 */

const GROUPS = { ingest: 'router', deliveries: 'dispatcher' } as const;
type Topic = keyof typeof GROUPS;

let cluster: Cluster;
let admin: Admin;
let database: Database;

beforeAll(async () => {
  cluster = await Cluster.start();
  database = new Database({ url: cluster.postgres.url, poolSize: 2, applicationName: 'test' });
  admin = kafkaClient({ clientId: 'outsider', brokers: cluster.kafka.brokers, isQuiet: true }).admin();
  await admin.connect();
}, 180_000);

afterAll(async () => {
  await admin?.disconnect();
  await database?.close();
  await cluster?.stop();
}, 60_000);

/** Copies the partitions of a topic while the broker is stopped. The apps continue. */
async function copyLogs(topic: Topic, from: 'data' | 'copy', to: 'data' | 'copy'): Promise<void> {
  const folder = join(cluster.folder, 'kafka');
  await cluster.kafka.stop();
  mkdirSync(join(folder, to), { recursive: true });
  for (const name of readdirSync(join(folder, from)).filter((each) => each.startsWith(`${topic}-`))) {
    rmSync(join(folder, to, name), { recursive: true, force: true });
    cpSync(join(folder, from, name), join(folder, to, name), { recursive: true });
  }
  await cluster.kafka.start();
}

async function ends(topic: Topic): Promise<number> {
  const found = await admin.fetchTopicOffsets(topic);
  return found.reduce((sum, { high }) => sum + Number(high), 0);
}

/** Resolves when the commit of each partition with records is at its end. */
async function committed(topic: Topic): Promise<void> {
  const isBehind = async () => {
    const [group] = await admin.fetchOffsets({ groupId: GROUPS[topic], topics: [topic] });
    const found = await admin.fetchTopicOffsets(topic);
    const commits = new Map(group?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
    return found.some(({ partition, high }) => Math.max(0, commits.get(partition) ?? 0) !== Number(high));
  };
  await until(
    'commits fit the log',
    async () => {
      try {
        return !(await isBehind());
      } catch {
        // The broker may still start.
        return false;
      }
    },
    60_000,
  );
}

describe('a truncated log', () => {
  it.each<Topic>(['ingest', 'deliveries'])(
    'given %s without its tail, when it grows past it again, then no new record is skipped, and no old one is sent again',
    async (topic) => {
      const traffic = await OrderedTraffic.start(cluster, { resources: 20, rounds: 6, failRate: 0.3 });
      try {
        await traffic.publish();
        await traffic.complete();
        await committed(topic);
        await copyLogs(topic, 'data', 'copy');
        await traffic.publish();
        await traffic.complete();
        await committed(topic);
        const before = await ends(topic);
        await copyLogs(topic, 'copy', 'data');
        await committed(topic);
        expect(await ends(topic)).toBeLessThan(before);

        await traffic.publish();
        await traffic.publish();
        await traffic.complete(60_000);
        expect(await ends(topic)).toBeGreaterThan(before);
        expect([traffic.disorder, traffic.repeats]).toEqual([0, 0]);
      } finally {
        traffic.close();
      }
    },
    300_000,
  );

  it('given lanes that wait beyond the end of deliveries, when fewer records come than were lost, then all lanes drain in order', async () => {
    const traffic = await OrderedTraffic.start(cluster, LANES);
    try {
      await traffic.publish();
      await traffic.complete();
      await committed('deliveries');
      await copyLogs('deliveries', 'data', 'copy');
      const earlier = await lostTails('deliveries');
      await loseWaiting(traffic);
      await loseWaiting(traffic);
      await cluster.app('dispatcher').server.stop();
      await cluster.app('dispatcher').server.start();
      await finish(traffic);
      // Every partition lost its records from the same offset twice.
      const lost = (await lostTails('deliveries')).slice(earlier.length);
      expect(lost).not.toEqual([]);
      expect(new Set(lost.map(({ place }) => place)).size).toBeLessThanOrEqual(lost.length / 2);

      await wait(traffic);
      const another = await cluster.add('dispatcher', 1);
      await cluster.app('dispatcher').server.stop();
      await recreateDeliveries();
      await cluster.app('dispatcher').server.start();
      await cluster.remove(another);
      await finish(traffic);
      const [row] = await database.query<{ generation: number }>(
        `SELECT max(generation) AS generation FROM log_generations WHERE topic = 'deliveries'`,
      );
      expect(row?.generation).toBeGreaterThan(Math.max(...lost.map(({ generation }) => generation)));
    } finally {
      traffic.close();
    }
  }, 400_000);

  it('given ingest without its tail, then sequences are unique and increase', async () => {
    const traffic = await OrderedTraffic.start(cluster, LANES);
    try {
      await traffic.publish();
      await traffic.complete();
      await committed('ingest');
      await copyLogs('ingest', 'data', 'copy');
      await traffic.publish();
      await traffic.complete();
      await committed('ingest');
      const highest = await sequences(traffic);
      await copyLogs('ingest', 'copy', 'data');
      await committed('ingest');
      await traffic.publish();
      await traffic.complete();

      const after = await sequences(traffic);
      expect(new Set(after).size).toBe(after.length);
      const added = after.slice(highest.length);
      expect(added).toHaveLength(LANES.resources * LANES.rounds);
      expect(generationOf(Math.min(...added))).toBeGreaterThan(generationOf(Math.max(...highest)));
      expect(Math.min(...added)).toBeGreaterThan(positionOf(0, 0) + Math.max(...highest));
    } finally {
      traffic.close();
    }
  }, 300_000);
});

/** Delay of 40 s, so that heads are in a tier while the log loses its tail. */
const LANES = {
  resources: 10,
  rounds: 3,
  endpoint: { retry_policy: { delays_s: [40, ...Array.from({ length: 30 }, () => 2)] } },
};

/** Publishes to an endpoint that fails, until each lane has a head and parked followers. */
async function wait(traffic: OrderedTraffic): Promise<void> {
  traffic.isDown = true;
  const count = async (sql: string) => {
    const [row] = await database.query<{ count: number }>(`SELECT count(*) AS count FROM ${sql} AND endpoint_id = $1`, [
      traffic.endpointId,
    ]);
    return row?.count ?? 0;
  };
  const { resources, rounds } = LANES;
  const before = await count('parked_deliveries WHERE true');
  await traffic.publish();
  const heads = before === 0 ? resources : 0;
  await until(
    'heads and followers wait',
    async () =>
      (await count('lane_rows WHERE attempt IS NOT NULL')) === resources &&
      (await count('parked_deliveries WHERE true')) >= before + resources * rounds - heads,
    30_000,
  );
  await committed('deliveries');
}

/** Truncates the log: the records of waiting deliveries are lost, and later records get lower offsets. */
async function loseWaiting(traffic: OrderedTraffic): Promise<void> {
  await wait(traffic);
  await copyLogs('deliveries', 'copy', 'data');
  await committed('deliveries');
}

async function finish(traffic: OrderedTraffic): Promise<void> {
  await traffic.publish();
  traffic.isDown = false;
  await traffic.complete(90_000);
  expect([traffic.disorder, traffic.repeats]).toEqual([0, 0]);
}

async function lostTails(topic: string): Promise<{ generation: number; place: string }[]> {
  return database.query<{ generation: number; place: string }>(
    `SELECT generation, partition || '/' || from_offset AS place FROM lost_tails WHERE topic = $1 ORDER BY generation`,
    [topic],
  );
}

/** Sequences of this traffic's events, in the order of acceptance. */
async function sequences({ eventType }: OrderedTraffic): Promise<number[]> {
  const rows = await database.query<{ sequence: number }>(
    'SELECT source_offset AS sequence FROM events WHERE type = $1 ORDER BY accepted_at, source_offset',
    [eventType],
  );
  return rows.map(({ sequence }) => sequence);
}

async function recreateDeliveries(): Promise<void> {
  const env = appSettings(cluster.kafka.brokers, cluster.postgres.url, 'unused');
  const life = { topicsReady: Promise.resolve(), onFatal: () => undefined };
  await recreateTopics(kafkaSettings('test', loadConfig(configSchema, env), life), ['deliveries']);
}
