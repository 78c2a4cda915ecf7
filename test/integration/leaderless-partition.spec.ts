import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { kafkaClient } from '#common/kafka/connect.js';
import { clusterOf, createKafka } from '#common/kafka/kafkajs/connection/client.js';
import { topicIdentities } from '#common/kafka/kafkajs/queries/topic-identities.js';
import { partitionOf } from '#common/kafka/port/partitioner.js';
import { logTopic, RecordingConsumer, testSettings } from '../support/kafka-port/recording-consumer.js';
import { until } from '../support/until.js';
import { type Brokers, startBrokers } from '../torture/harness/brokers.js';

const PARTITIONS = 6;
const START_LIMIT_MS = 150_000;

describe('a cluster of three that keeps one replica of each partition', () => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-leaderless-'));
  let brokers: Brokers;
  const cleanups: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    brokers = await startBrokers(folder, 3);
  }, START_LIMIT_MS);
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  }, 60_000);
  afterAll(async () => {
    await brokers.stop();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  it('given a killed broker, then its partitions wait, and all others continue', async () => {
    const settings = testSettings([logTopic('log', PARTITIONS)], { brokers: brokers.direct });
    await kafkaClient(settings).ensureTopics();
    const cluster = clusterOf(createKafka(settings)) as ReturnType<typeof clusterOf> & {
      connect(): Promise<void>;
      refreshMetadata(): Promise<void>;
      findGroupCoordinator(of: object): Promise<{ nodeId: number }>;
    };
    const producer = kafkaClient(settings).producer();
    const reader = new RecordingConsumer(settings, { groupId: 'readers', topics: ['log'] });
    cleanups.push(
      () => cluster.disconnect(),
      () => producer.close(),
      () => reader.stop(),
    );
    await producer.connect();
    await reader.start();
    const write = (partition: number, value: string) =>
      producer.write([{ topic: 'log', key: keyOn(partition), value }]);
    await Promise.all(partitions().map((partition) => write(partition, `before ${partition}`)));
    await until('all are read', () => reader.records.length === PARTITIONS);

    await cluster.connect();
    await cluster.refreshMetadata();
    const { nodeId: coordinator } = await cluster.findGroupCoordinator({ groupId: `${settings.prefix}readers` });
    const name = `${settings.prefix}log`;
    const leaders = (await topicIdentities(cluster, [name])).get(name)?.leaders ?? [];
    const victim = leaders.find((leader) => Number(leader) !== Number(coordinator));
    const [lost, kept] = [true, false].map((isLost) =>
      partitions().filter((partition) => (leaders[partition] === victim) === isLost),
    ) as [number[], number[]];
    expect(lost.length).toBeGreaterThan(0);
    await brokers.servers[Number(victim) - 1]?.kill();

    const waiting = lost.map((partition) => write(partition, `waits ${partition}`));
    const startedAt = Date.now();
    for (let round = 0; round < 5; round++) {
      await Promise.all(kept.map((partition) => write(partition, `during ${round} ${partition}`)));
    }
    // A request that failed in part is repeated as a whole, so some records may occur twice.
    const during = () => new Set(reader.values().filter((value) => value.startsWith('during')));
    await until('all that can be read is read', () => during().size === 5 * kept.length);
    expect(Date.now() - startedAt).toBeLessThan(15_000);
    expect(reader.values().some((value) => value.startsWith('waits'))).toBe(false);

    await brokers.servers[Number(victim) - 1]?.start();
    await Promise.all(waiting);
    await until('the rest is read', () => lost.every((each) => reader.values().includes(`waits ${each}`)), 30_000);
  }, 180_000);
});

function partitions(): number[] {
  return Array.from({ length: PARTITIONS }, (_, partition) => partition);
}

/** Finds a key of this partition. */
function keyOn(partition: number): string {
  for (let index = 0; ; index++) if (partitionOf(`key-${index}`, PARTITIONS) === partition) return `key-${index}`;
}
