import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Admin } from 'kafkajs';
import { kafkaClient } from '../../scripts/lib/kafka-client.js';
import { Cluster } from '../support/cluster.js';
import { OrderedTraffic } from '../support/ordered-traffic.js';
import { until } from '../support/until.js';

/*
 * A topic loses a tail that was read to its end, as after a restored data directory or an unclean leader election, and
 * grows past it again. Its id stays, so its offsets mean other records than those PostgreSQL remembers.
 */

const GROUPS = { ingest: 'router', deliveries: 'dispatcher' } as const;
type Topic = keyof typeof GROUPS;

let cluster: Cluster;
let admin: Admin;

beforeAll(async () => {
  cluster = await Cluster.start();
  admin = kafkaClient({ clientId: 'outsider', brokers: cluster.kafka.brokers, isQuiet: true }).admin();
  await admin.connect();
}, 180_000);

afterAll(async () => {
  await admin?.disconnect();
  await cluster?.stop();
}, 60_000);

/** Copies the partitions of a topic while the broker is stopped. The apps go on. */
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

/** Resolves when the commits of all partitions with records are at their ends. */
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
        // The broker has just started.
        return false;
      }
    },
    60_000,
  );
}

describe('a truncated log', () => {
  it.each<Topic>(['ingest', 'deliveries'])(
    'given %s without its tail, when it grows past it again, then nothing new is skipped, and nothing old is sent again',
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
});
