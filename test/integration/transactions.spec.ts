import { afterEach, describe, expect, it } from '@jest/globals';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { kafkaClient } from '#common/kafka/connect.js';
import { partitionOf } from '#common/kafka/port/partitioner.js';
import type { KafkaSettings } from '#common/kafka/port/settings.js';
import { logTopic, RecordingConsumer, testSettings } from '../support/kafka-port/recording-consumer.js';
import { testBrokers } from '../support/servers.js';
import { largeRecords, transact, transactionalProducer } from '../support/transactions.js';
import { until } from '../support/until.js';

/*
 * Records of transactional producers: consumers read the committed ones, in order, never the aborted ones, and continue
 * behind both. After each transaction, the test waits until the group has committed all records: the next fetch then
 * has only the remains of the transaction.
 */

const TIMEOUT_MS = 60_000;
const group = { groupId: 'readers', topics: ['log'] };

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function prepared(partitions = 1): Promise<KafkaSettings> {
  const settings = testSettings([logTopic('log', partitions)]);
  await kafkaClient(settings).ensureTopics();
  return settings;
}

async function writer(settings: KafkaSettings): Promise<(values: readonly string[], key?: string) => Promise<void>> {
  const producer = kafkaClient(settings).producer();
  await producer.connect();
  cleanups.push(() => producer.close());
  return (values, key = 'k') => producer.write(values.map((value) => ({ topic: 'log', key, value })));
}

async function theirs(): Promise<Producer> {
  const producer = await transactionalProducer();
  cleanups.push(() => producer.disconnect());
  return producer;
}

async function reading(settings: KafkaSettings): Promise<RecordingConsumer> {
  const reader = new RecordingConsumer(settings, group);
  cleanups.push(() => reader.stop());
  await reader.start();
  return reader;
}

async function admin() {
  const created = new Kafka({ brokers: testBrokers(), logLevel: logLevel.NOTHING }).admin();
  cleanups.push(() => created.disconnect());
  await created.connect();
  return created;
}

/** @returns function that resolves when the group has committed each log of the topic up to its end */
async function pauser(settings: KafkaSettings): Promise<() => Promise<void>> {
  const client = await admin();
  const topic = `${settings.prefix}log`;
  return () =>
    until('everything is committed', async () => {
      const ends = await client.fetchTopicOffsets(topic);
      const [committed] = await client.fetchOffsets({ groupId: `${settings.prefix}readers`, topics: [topic] });
      return ends.every(({ partition, high }) => {
        const offset = committed?.partitions.find((one) => one.partition === partition)?.offset;
        return high === '0' || offset === high;
      });
    });
}

const SHORT = [
  { key: 'k', value: 'theirs-1' },
  { key: 'k', value: 'theirs-2' },
];

describe('a consumer of a log with transactions', () => {
  it.each([
    { given: 'a committed transaction', end: 'commit', messages: SHORT },
    { given: 'an aborted transaction', end: 'abort', messages: SHORT },
    { given: 'a committed transaction of 200 KB', end: 'commit', messages: largeRecords('k', 200) },
    { given: 'an aborted transaction of 200 KB', end: 'abort', messages: largeRecords('k', 200) },
  ] as const)(
    'given $given and no other record for a while, then later records are read',
    async ({ end, messages }) => {
      const settings = await prepared();
      const [write, other, reader, pause] = await Promise.all([
        writer(settings),
        theirs(),
        reading(settings),
        pauser(settings),
      ]);
      await write(['before']);
      await pause();
      await transact(other, `${settings.prefix}log`, end, messages);
      await pause();
      await write(['after']);
      await until('the last one is read', () => reader.values().includes('after'));

      const committed = end === 'commit' ? messages.map(({ value }) => String(value)) : [];
      expect(reader.values()).toEqual(['before', ...committed, 'after']);
    },
    TIMEOUT_MS,
  );

  it(
    'given interleaved transactions of several fetches, then the committed records are read in order',
    async () => {
      const settings = await prepared();
      const [write, first, second, reader] = await Promise.all([
        writer(settings),
        theirs(),
        theirs(),
        reading(settings),
      ]);
      const topic = `${settings.prefix}log`;
      const [kept, dropped] = [await first.transaction(), await second.transaction()];
      const expected: string[] = [];
      for (let round = 0; round < 6; round++) {
        const messages = largeRecords(`kept-${round}`, 30);
        await kept.send({ topic, messages });
        await dropped.send({ topic, messages: largeRecords('dropped', 40) });
        await write([`plain-${round}`]);
        expected.push(...messages.map(({ value }) => String(value)), `plain-${round}`);
      }
      await dropped.abort();
      await kept.commit();
      await until('the last one is read', () => reader.values().includes('plain-5'));
      expect(reader.values()).toEqual(expected);
    },
    TIMEOUT_MS,
  );

  it.each([
    { given: 'a committed', end: 'commit' },
    { given: 'an aborted', end: 'abort' },
  ] as const)(
    'given $given transaction at the end of its partition, when a consumer starts, then it reads later records',
    async ({ end }) => {
      const settings = await prepared();
      const [write, other, pause] = await Promise.all([writer(settings), theirs(), pauser(settings)]);
      const first = await reading(settings);
      await transact(other, `${settings.prefix}log`, end, SHORT);
      await pause();
      await first.stop();
      await transact(other, `${settings.prefix}log`, end, SHORT);

      const second = await reading(settings);
      await pause();
      await write(['after']);
      await until('the last one is read', () => second.values().includes('after'));
      const committed = end === 'commit' ? SHORT.map(({ value }) => value) : [];
      expect(second.values()).toEqual([...committed, 'after']);
    },
    TIMEOUT_MS,
  );

  it(
    'given an open transaction, then only its partition waits for its end, and both continue',
    async () => {
      const settings = await prepared(2);
      const [write, other, reader] = await Promise.all([writer(settings), theirs(), reading(settings)]);
      const keyOf = (partition: number) =>
        ['a', 'b', 'c', 'd', 'e'].find((key) => partitionOf(key, 2) === partition) ?? '';
      const transaction = await other.transaction();
      await transaction.send({ topic: `${settings.prefix}log`, messages: [{ key: keyOf(0), value: 'open' }] });
      await write(['behind it'], keyOf(0));
      await write(['elsewhere'], keyOf(1));
      await until('the other partition is read', () => reader.values().includes('elsewhere'));
      expect(reader.values()).toEqual(['elsewhere']);

      await transaction.abort();
      await until('the rest is read', () => reader.values().includes('behind it'));
      expect(reader.values()).toEqual(['elsewhere', 'behind it']);
    },
    TIMEOUT_MS,
  );
});

describe('a compacted table with transactions', () => {
  it(
    'given committed and aborted changes, with a marker at the end of the log, then a new table is complete and continues',
    async () => {
      const settings = testSettings([{ topic: 'log', partitions: 1, config: { 'cleanup.policy': 'compact' } }]);
      await kafkaClient(settings).ensureTopics();
      const [write, other] = await Promise.all([writer(settings), theirs()]);
      const topic = `${settings.prefix}log`;
      await write(['first'], 'plain');
      await transact(other, topic, 'commit', [{ key: 'theirs', value: 'kept' }]);
      await transact(other, topic, 'abort', [{ key: 'theirs', value: 'dropped' }]);

      const seen = new Map<string, string>();
      const table = kafkaClient({ ...settings, clientId: 'table' }).table({
        topic: 'log',
        apply: (key, value) => void seen.set(key, String(value)),
      });
      cleanups.push(() => table.stop());
      await table.start();
      expect(Object.fromEntries(seen)).toEqual({ plain: 'first', theirs: 'kept' });

      await transact(other, topic, 'abort', [{ key: 'theirs', value: 'dropped' }]);
      await transact(other, topic, 'commit', [{ key: 'theirs', value: 'changed' }]);
      await write(['second'], 'plain');
      await until('the last change is applied', () => seen.get('plain') === 'second');
      expect(Object.fromEntries(seen)).toEqual({ plain: 'second', theirs: 'changed' });
    },
    TIMEOUT_MS,
  );
});
