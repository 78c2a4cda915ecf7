import { setTimeout as delay } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import kafkajs, { Kafka, logLevel } from 'kafkajs';
import { register } from 'prom-client';
import { encodeCommit } from '#common/domain/commit-metadata.js';
import { CompactedTable } from '#common/kafka/compacted-table.js';
import { FetchedRecords } from '#common/kafka/fetched-records.js';
import { partitionOf } from '#common/kafka/partitioner.js';
import { KafkaUnavailableError, RecordProducer } from '#common/kafka/producer.js';
import type { KafkaSettings } from '#common/kafka/settings.js';
import { ensureTopics, TopicMismatchError } from '#common/kafka/topic-admin.js';
import { logTopic, RecordingConsumer, testSettings } from '../support/kafka-port.js';
import { testBrokers } from '../support/servers.js';
import { until } from '../support/until.js';

/*
 * The promises of the Kafka port (kafka/port.ts), independent of the client library. Another client may replace kafkajs
 * when this file passes with it.
 */

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Longer than a fetch waits for records. */
const QUIET_MS = 1_500;
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => String(from + index));

async function prepared(settings: KafkaSettings): Promise<KafkaSettings> {
  await ensureTopics(settings);
  return settings;
}

async function producer(settings: KafkaSettings): Promise<RecordProducer> {
  const created = new RecordProducer(settings);
  await created.connect();
  cleanups.push(() => created.close());
  return created;
}

async function publish(settings: KafkaSettings, values: readonly string[], key = 'k'): Promise<void> {
  const writer = await producer(settings);
  await writer.write(values.map((value) => ({ topic: 'log', key, value })));
}

async function consumer(...args: ConstructorParameters<typeof RecordingConsumer>): Promise<RecordingConsumer> {
  const created = new RecordingConsumer(...args);
  cleanups.push(() => created.stop());
  await created.start();
  return created;
}

async function admin() {
  const created = new Kafka({ brokers: testBrokers(), logLevel: logLevel.NOTHING }).admin();
  cleanups.push(() => created.disconnect());
  await created.connect();
  return created;
}

async function committedOffsets(settings: KafkaSettings) {
  const client = await admin();
  const [topic] = await client.fetchOffsets({
    groupId: `${settings.prefix}readers`,
    topics: [`${settings.prefix}log`],
  });
  return topic?.partitions ?? [];
}

const group = { groupId: 'readers', topics: ['log'] };

describe('topics', () => {
  it('given no topics, then they are created as configured, and a second check passes', async () => {
    const settings = await prepared(testSettings([logTopic('log', 3)]));
    const { topics } = await (await admin()).fetchTopicMetadata({ topics: [`${settings.prefix}log`] });

    expect(topics[0]?.partitions).toHaveLength(3);
    await expect(ensureTopics(settings)).resolves.toBeUndefined();
  });

  it('given a topic with other partitions or another cleanup policy, then the difference is named', async () => {
    const settings = await prepared(testSettings([logTopic('log', 3)]));
    const compacted = { topic: 'log', partitions: 4, config: { 'cleanup.policy': 'compact' } };

    const checked = ensureTopics({ ...settings, topics: [compacted] });

    await expect(checked).rejects.toThrow(TopicMismatchError);
    await expect(checked).rejects.toThrow(/3 partitions, 4 are configured[\s\S]*cleanup.policy=delete/);
  });
});

describe('RecordProducer', () => {
  it('given many writes at once, then all are stored, in order', async () => {
    const settings = await prepared(testSettings([logTopic('log')]));
    const writer = await producer(settings);

    await Promise.all(numbers(500).map((value) => writer.write([{ topic: 'log', key: 'k', value }])));

    const reader = await consumer(settings, group);
    await until('all are read', () => reader.records.length === 500);
    expect(reader.values()).toEqual(numbers(500));
  });

  it('given a key, then its record is on the partition by murmur2, as with other clients', async () => {
    const settings = await prepared(testSettings([logTopic('log', 5)]));
    const theirs = new Kafka({ brokers: testBrokers(), logLevel: logLevel.NOTHING }).producer();
    await theirs.connect();
    cleanups.push(() => theirs.disconnect());
    for (const key of numbers(20)) {
      await theirs.send({ topic: `${settings.prefix}log`, messages: [{ key, value: 'theirs' }] });
      await publish(settings, ['ours'], key);
    }

    const reader = await consumer(settings, group);
    await until('all are read', () => reader.records.length === 40);
    for (const record of reader.records) expect(record.partition).toBe(partitionOf(record.key ?? '', 5));
  });

  it('given one record too large for its topic, then only that record is rejected', async () => {
    const settings = await prepared(testSettings([logTopic('log')]));
    const writer = await producer(settings);
    const large = writer.write([{ topic: 'log', key: 'k', value: Buffer.alloc(2_000_000) }]);
    const small = writer.write([{ topic: 'log', key: 'k', value: 'small' }]);

    await expect(large).rejects.toMatchObject({ type: 'MESSAGE_TOO_LARGE' });
    await expect(small).resolves.toBeUndefined();
  });

  it('given no broker, when the time is up, then the outcome is unknown', async () => {
    const settings = testSettings([logTopic('log')], { brokers: ['127.0.0.1:1'] });
    const writer = new RecordProducer(settings);
    cleanups.push(() => writer.close(100));

    await expect(writer.write([{ topic: 'log', key: 'k', value: 'v' }], { timeoutMs: 300 })).rejects.toThrow(
      KafkaUnavailableError,
    );
  });
});

describe('LogConsumer', () => {
  it('given a compressed batch that kafkajs cannot read, then its records are read', async () => {
    const { CompressionCodecs, CompressionTypes } = kafkajs;
    const theirCodec = CompressionCodecs[CompressionTypes.ZSTD];
    CompressionCodecs[CompressionTypes.ZSTD] = () => ({
      compress: async (encoder: { buffer: Buffer }) => zstdCompressSync(encoder.buffer),
      decompress: () => Promise.reject(new Error('the broker left the batch compressed')),
    });
    cleanups.push(async () => {
      CompressionCodecs[CompressionTypes.ZSTD] = theirCodec;
    });
    const settings = await prepared(testSettings([logTopic('log')]));
    const theirs = new Kafka({ brokers: testBrokers(), logLevel: logLevel.NOTHING }).producer();
    await theirs.connect();
    cleanups.push(() => theirs.disconnect());
    const messages = numbers(100).map((value) => ({ key: 'k', value }));
    await theirs.send({ topic: `${settings.prefix}log`, compression: CompressionTypes.ZSTD, messages });

    const reader = await consumer(settings, group);

    await until('all are read', () => reader.records.length === 100);
    expect(reader.values()).toEqual(numbers(100));
  });

  it('given records finished out of order, when another consumer takes over, then it gets only the unfinished ones', async () => {
    const settings = await prepared(testSettings([logTopic('log')]));
    await publish(settings, numbers(10));
    const finished = new Set(['0', '1', '4', '5', '8']);
    const first = await consumer(settings, group, (log, record) => {
      if (finished.has(String(record.value))) log.finish(record.offset);
    });
    await until('all are read', () => first.records.length === 10);
    await first.stop();

    const committed = await committedOffsets(settings);
    const { topicId } = first.owned[0]?.identity ?? {};
    expect(topicId).toMatch(/^[\w-]{22}$/);
    const log = { topicId, leaderEpoch: 0, evidence: undefined };
    expect(committed[0]).toMatchObject({ offset: '2', metadata: encodeCommit(log, 2, [4, 5, 8]) });

    const second = await consumer(settings, group);
    await until('the rest is read', () => second.records.length === 5);
    await publish(settings, ['10']);
    await until('the new one is read', () => second.values().includes('10'));
    expect(second.values()).toEqual(['2', '3', '6', '7', '9', '10']);
  });

  it('given a second consumer, then partitions are shared, kept ones are not handed out again, and lost ones are reported', async () => {
    const settings = await prepared(testSettings([logTopic('log', 4)]));
    for (const key of numbers(40)) await publish(settings, [key], key);
    const first = await consumer(settings, group, () => undefined);
    await until('all are read', () => first.records.length === 40);

    const second = await consumer(settings, group);
    await until('the partitions are shared', () => second.owned.length === 2 && first.lost.length === 2);
    const movedPartitions = new Set(second.owned.map(({ partition }) => partition));
    const moved = first.records.filter(({ partition }) => movedPartitions.has(partition));
    await until('the moved ones are read again', () => second.records.length === moved.length);

    for (const key of numbers(40, 40)) await publish(settings, [key], key);
    await until('the new ones are read', () => first.records.length + second.records.length === 80 + moved.length);
    expect(new Set(first.values()).size).toBe(first.records.length);
    expect(first.lost.every(({ lost }) => lost.aborted)).toBe(true);
  });

  it('given a lost partition, when one of its records is finished late, then no offset of it is committed', async () => {
    const settings = await prepared(testSettings([logTopic('log', 2)]));
    for (const key of numbers(20)) await publish(settings, [key], key);
    const first = await consumer(settings, group, () => undefined);
    await until('all are read', () => first.records.length === 20);
    const second = await consumer(settings, group, () => undefined);
    await until('one partition is lost', () => first.lost.length === 1);

    const [gone] = first.lost;
    for (const { partition, offset } of first.records) if (partition === gone?.partition) gone.finish(offset);
    await first.stop();
    await second.stop();

    const committed = await committedOffsets(settings);
    expect(committed.find(({ partition }) => partition === gone?.partition)?.offset).toMatch(/^(0|-1)$/);
  });

  it('given records that left the log unread, then the loss is counted, and later records are read', async () => {
    const settings = await prepared(testSettings([logTopic('log')]));
    await publish(settings, numbers(10));
    const first = await consumer(settings, group, (log, { offset }) => {
      if (offset < 3) log.finish(offset);
    });
    await until('all are read', () => first.records.length === 10);
    await first.stop();
    const client = await admin();
    await client.fetchTopicOffsets(`${settings.prefix}log`);
    await client.deleteTopicRecords({ topic: `${settings.prefix}log`, partitions: [{ partition: 0, offset: '7' }] });

    const second = await consumer(settings, group);
    await until('the rest is read', () => second.records.length === 3);

    expect(second.values()).toEqual(['7', '8', '9']);
    const metric = await register.getSingleMetric('posthorn_log_lost_records_total')?.get();
    expect(metric?.values.find(({ labels }) => labels.topic === `${settings.prefix}log`)?.value).toBe(4);
  });

  it('given a pause longer than the session, then no record is handed out, no member is evicted, and reading resumes', async () => {
    const settings = await prepared(testSettings([logTopic('log')], { sessionTimeoutMs: 6_000 }));
    await publish(settings, ['first']);
    const reader = await consumer(settings, group, (log, record) => {
      log.finish(record.offset);
      if (String(record.value) === 'first') log.pause();
    });
    await until('the first is read', () => reader.records.length === 1);
    await publish(settings, ['second']);
    const pausedAt = Date.now();
    await until('two sessions are over', () => Date.now() - pausedAt > 12_000);
    expect(reader.values()).toEqual(['first']);
    const lag = await register.getSingleMetric('posthorn_consumer_lag_records')?.get();
    expect(lag?.values.find(({ labels }) => labels.topic === 'log')?.value).toBe(1);

    reader.owned[0]?.resume();
    await until('the second is read', () => reader.records.length === 2);
    expect(reader.rebalancings).toBe(0);
    expect(reader.lost).toHaveLength(0);
  });

  it('given an event loop that hangs for most of a session, then no member is evicted', async () => {
    const settings = await prepared(testSettings([logTopic('log')], { sessionTimeoutMs: 10_000 }));
    const reader = await consumer(settings, group);
    await publish(settings, ['before']);
    await until('the first is read', () => reader.records.length === 1);

    const hangUntil = Date.now() + 4_000;
    while (Date.now() < hangUntil);

    await publish(settings, ['after']);
    await until('the second is read', () => reader.records.length === 2);
    expect(reader.lost).toHaveLength(0);
  });

  it('given a handler that throws, then onFatal is called', async () => {
    const fatal: Error[] = [];
    const settings = await prepared(testSettings([logTopic('log')], { onFatal: (error) => void fatal.push(error) }));
    await publish(settings, ['bad']);
    await consumer(settings, group, () => {
      throw new Error('handler is broken');
    });

    await until('onFatal is called', () => fatal.length === 1);
    expect(fatal[0]?.message).toBe('handler is broken');
  });

  it('given a killed process of the same name, then its successor does not wait for the end of the session', async () => {
    const named = { clientId: 'posthorn-dispatcher-0', sessionTimeoutMs: 45_000 };
    const settings = await prepared(testSettings([logTopic('log')], named));
    await publish(settings, ['one']);
    await consumer(settings, group, () => undefined);

    const startedAt = Date.now();
    const successor = await consumer(settings, group);
    await until('the successor reads', () => successor.records.length === 1, 15_000);
    expect(Date.now() - startedAt).toBeLessThan(15_000);
  });
});

describe('CompactedTable', () => {
  const compacted = { topic: 'table', partitions: 1, config: { 'cleanup.policy': 'compact' } };

  it('given a topic with records, then the table is caught up after its start, follows changes, and leaves no group', async () => {
    const settings = await prepared(testSettings([compacted]));
    const writer = await producer(settings);
    const put = (key: string, value: string | null) => writer.write([{ topic: 'table', key, value }]);
    await put('a', '1');
    await put('b', '1');
    await put('a', '2');
    await put('b', null);
    const rows = new Map<string, string>();
    const table = new CompactedTable(settings, {
      topic: 'table',
      apply: (key, value) => void (value === null ? rows.delete(key) : rows.set(key, value.toString())),
    });

    await table.start();
    expect(table.isCaughtUp).toBe(true);
    expect([...rows]).toEqual([['a', '2']]);

    await put('c', '1');
    await until('the change arrives', () => rows.has('c'));
    await table.stop();
    const { groups } = await (await admin()).listGroups();
    expect(groups.filter(({ groupId }) => groupId.startsWith(settings.prefix))).toEqual([]);
  });

  it('given many batches, then each record is read once, also without new records', async () => {
    const settings = await prepared(testSettings([compacted]));
    const writer = await producer(settings);
    for (const key of numbers(300)) await writer.write([{ topic: 'table', key, value: key }]);
    const read = jest.spyOn(FetchedRecords.prototype, 'read');
    const table = new CompactedTable(settings, { topic: 'table', apply: () => undefined });
    cleanups.push(() => table.stop());
    const count = async () => {
      const fetches = await Promise.all(
        read.mock.results.map(({ value }) => value as ReturnType<FetchedRecords['read']>),
      );
      return fetches.reduce((sum, { records }) => sum + records.length, 0);
    };

    await table.start();
    await delay(QUIET_MS);

    expect(await count()).toBe(300);
    read.mockRestore();
  });

  it('given an empty topic, then the table is caught up at once', async () => {
    const settings = await prepared(testSettings([compacted]));
    const table = new CompactedTable(settings, { topic: 'table', apply: () => undefined });
    cleanups.push(() => table.stop());

    await table.start();

    expect(table.isCaughtUp).toBe(true);
  });
});
