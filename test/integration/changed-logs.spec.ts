import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { register } from 'prom-client';
import { encodeCommit } from '#common/domain/commit-metadata.js';
import { clusterOf, createKafka } from '#common/kafka/client.js';
import { CompactedTable } from '#common/kafka/compacted-table.js';
import { RecordProducer } from '#common/kafka/producer.js';
import type { KafkaSettings } from '#common/kafka/settings.js';
import { ensureTopics } from '#common/kafka/topic-admin.js';
import { TopicKeeper } from '#common/kafka/topic-keeper.js';
import { startKafka } from '../../scripts/lib/kafka.mjs';
import { freePort } from '../../scripts/lib/ports.mjs';
import { logTopic, RecordingConsumer, testSettings } from '../support/kafka-port.js';
import { until } from '../support/until.js';

/*
 * Logs that are not what a commit was made of: recreated, truncated, missing for a time (docs/adr/0025).
 */

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const values = (name: string, count: number) => Array.from({ length: count }, (_, index) => `${name}${index}`);
const group = { groupId: 'readers', topics: ['log'] };

async function publish(settings: KafkaSettings, content: readonly string[], topic = 'log', key = 'k'): Promise<void> {
  const producer = new RecordProducer(settings);
  await producer.connect();
  await producer.write(content.map((value) => ({ topic, key, value })));
  await producer.close();
}

async function consume(settings: KafkaSettings, topics = ['log']): Promise<RecordingConsumer> {
  const reader = new RecordingConsumer(settings, { ...group, topics });
  cleanups.push(() => reader.stop());
  await reader.start();
  return reader;
}

async function adminOf(settings: KafkaSettings) {
  const admin = createKafka(settings).admin();
  cleanups.push(() => admin.disconnect());
  await admin.connect();
  return admin;
}

async function recreate(settings: KafkaSettings, topic: string): Promise<void> {
  const admin = await adminOf(settings);
  await admin.deleteTopics({ topics: [settings.prefix + topic] });
  await until('the topic is gone', async () => !(await admin.listTopics()).includes(settings.prefix + topic));
  await ensureTopics(settings);
}

async function counted(name: string, topic: string): Promise<number> {
  const metric = await register.getSingleMetric(name)?.get();
  return metric?.values.find(({ labels }) => labels.topic === topic)?.value ?? 0;
}

async function committed(settings: KafkaSettings): Promise<string | undefined> {
  const [topic] = await (await adminOf(settings)).fetchOffsets({
    groupId: `${settings.prefix}readers`,
    topics: [`${settings.prefix}log`],
  });
  return topic?.partitions[0]?.offset;
}

describe('a recreated topic', () => {
  it('given a commit of another log within this one, then reading begins at the first record, and is counted', async () => {
    const settings = testSettings([logTopic('log')]);
    await ensureTopics(settings);
    await publish(settings, values('new', 10));
    await commitAs(settings, 'B'.repeat(22), 6);

    const reader = await consume(settings);

    await until('all are read', () => reader.records.length === 10);
    expect(reader.values()).toEqual(values('new', 10));
    expect(await counted('posthorn_log_replaced_total', `${settings.prefix}log`)).toBe(1);
  });

  it('given a consumer that runs, when the new log is longer than the old one, then all of it is read', async () => {
    const settings = testSettings([logTopic('log'), logTopic('other')]);
    await ensureTopics(settings);
    await publish(settings, values('old', 5));
    const reader = await consume(settings, ['log', 'other']);
    await until('the old ones are read', () => reader.records.length === 5);

    await recreate(settings, 'log');
    await publish(settings, values('new', 9));
    await publish(settings, ['apart'], 'other');

    await until(
      'the new ones are read',
      () => values('new', 9).every((value) => reader.values().includes(value)),
      20_000,
    );
    await until('the other topic is read', () => reader.values().includes('apart'));
    expect(reader.rebalancings).toBe(0);
    expect(reader.lost.filter(({ topic }) => topic === 'log')).toHaveLength(1);
    expect(reader.owned.filter(({ topic }) => topic === 'log').map(({ identity }) => identity.topicId)).toEqual([
      expect.any(String),
      expect.any(String),
    ]);
    expect(await counted('posthorn_log_replaced_total', `${settings.prefix}log`)).toBe(1);
  });
});

describe('a missing topic', () => {
  it('given a consumer of two, when one is deleted, then the other goes on without a rebalance, and both when it is back', async () => {
    const settings = testSettings([logTopic('log'), logTopic('other')]);
    await ensureTopics(settings);
    const reader = await consume(settings, ['log', 'other']);
    await until('both are owned', () => reader.owned.length === 2);
    const admin = await adminOf(settings);
    await admin.deleteTopics({ topics: [`${settings.prefix}other`] });
    await until('the topic is lost', () => reader.lost.length === 1, 10_000);

    const askedAt = Date.now();
    await publish(settings, ['alone']);
    await until('the other is read', () => reader.values().includes('alone'));
    expect(Date.now() - askedAt).toBeLessThan(3_000);

    await ensureTopics(settings);
    await publish(settings, ['back'], 'other');
    await until('the new one is read', () => reader.values().includes('back'), 10_000);
    expect(reader.rebalancings).toBe(0);
  });

  it('given a consumer that starts while one is missing, then it reads the other, and both when it is there', async () => {
    const settings = testSettings([logTopic('log'), logTopic('other')]);
    await ensureTopics({ ...settings, topics: settings.topics.slice(0, 1) });
    await publish(settings, ['first']);
    const reader = await consume(settings, ['log', 'other']);
    await until('the one is read', () => reader.values().includes('first'));

    await ensureTopics(settings);
    await publish(settings, ['second'], 'other');
    await until('the other is read', () => reader.values().includes('second'), 15_000);
  });
});

describe('a truncated log', () => {
  it('given records deleted beyond the position of a consumer that runs, then they are counted and the rest is read', async () => {
    const settings = testSettings([logTopic('log')]);
    await ensureTopics(settings);
    const reader = await consume(settings);
    await until('the log is owned', () => reader.owned.length === 1);
    reader.owned[0]?.pause();
    await publish(settings, values('v', 10));
    const admin = await adminOf(settings);
    await admin.fetchTopicOffsets(`${settings.prefix}log`);
    await admin.deleteTopicRecords({
      topic: `${settings.prefix}log`,
      partitions: [{ partition: 0, offset: '7' }],
    });
    reader.owned[0]?.resume();

    await until('the rest is read', () => reader.records.length === 3);
    expect(reader.values()).toEqual(['v7', 'v8', 'v9']);
    expect(reader.lost).toHaveLength(0);
    expect(await counted('posthorn_log_lost_records_total', `${settings.prefix}log`)).toBe(7);
  });

  it('given a lost tail, and one that has grown again past the commit, then only what is new is read', async () => {
    const broker = await ownBroker();
    const settings = testSettings([logTopic('log')], { brokers: broker.kafka.brokers });
    await ensureTopics(settings);
    const folder = join(broker.data, `${settings.prefix}log-0`);
    await publish(settings, values('old', 5));
    const first = await consume(settings);
    await until('the first five are read', () => first.records.length === 5);
    await first.stop();
    await broker.kafka.stop();
    const copy = `${broker.root}/copy`;
    cpSync(folder, copy, { recursive: true });
    await broker.kafka.start();
    await publish(settings, values('lost', 5));
    const second = await consume(settings);
    await until('the tail is read', () => second.records.length === 5);
    await second.stop();
    expect(await committed(settings)).toBe('10');

    await broker.cut(folder, copy);
    const third = await consume(settings);
    await until('the log is owned', () => third.owned.length === 1);
    await publish(settings, ['after']);
    await until('what is new is read', () => third.records.length === 1);
    expect(third.values()).toEqual(['after']);
    await third.stop();
    expect(await committed(settings)).toBe('6');

    await broker.cut(folder, copy);
    await publish(settings, values('grown', 4));
    const fourth = await consume(settings);
    await until('what is new is read', () => fourth.records.length >= 4);
    expect(fourth.values()).toEqual(values('grown', 4));
    expect(await counted('posthorn_log_truncated_total', `${settings.prefix}log`)).toBe(2);
    expect(await counted('posthorn_log_replaced_total', `${settings.prefix}log`)).toBe(0);

    await until('the commit follows', async () => (await committed(settings)) === '9');
    await broker.cut(folder, copy);
    await publish(settings, values('beneath', 7));
    await until('a consumer that ran reads what is new', () => fourth.records.length >= 11, 40_000);
    expect(fourth.values()).toEqual([...values('grown', 4), ...values('beneath', 7)]);
  }, 180_000);
});

/** A commit of the group by hand, as a member of another log would have left it. */
async function commitAs(settings: KafkaSettings, topicId: string, offset: number): Promise<void> {
  const cluster = clusterOf(createKafka(settings)) as ReturnType<typeof clusterOf> & {
    connect(): Promise<void>;
    refreshMetadata(): Promise<void>;
    findGroupCoordinator(of: object): Promise<{ offsetCommit(request: object): Promise<unknown> }>;
  };
  cleanups.push(() => cluster.disconnect());
  await cluster.connect();
  await cluster.refreshMetadata();
  const groupId = `${settings.prefix}readers`;
  const coordinator = await cluster.findGroupCoordinator({ groupId });
  const metadata = encodeCommit({ topicId, leaderEpoch: 0, evidence: undefined }, offset, [7]);
  await coordinator.offsetCommit({
    groupId,
    memberId: '',
    groupGenerationId: -1,
    topics: [{ topic: `${settings.prefix}log`, partitions: [{ partition: 0, offset: String(offset), metadata }] }],
  });
}

async function ownBroker() {
  const root = mkdtempSync(join(tmpdir(), 'posthorn-cut-'));
  const kafka = await startKafka({ dir: join(root, 'kafka'), port: await freePort() });
  cleanups.push(async () => {
    await kafka.stop();
    rmSync(root, { recursive: true, force: true });
  });
  const cut = async (folder: string, copy: string) => {
    await kafka.stop();
    rmSync(folder, { recursive: true });
    cpSync(copy, folder, { recursive: true });
    await kafka.start();
  };
  return { root, kafka, data: join(root, 'kafka', 'data'), cut };
}

describe('a recreated compacted topic', () => {
  it('given a table that runs, then it reads the new log from its first record', async () => {
    const compacted = { topic: 'table', partitions: 1, config: { 'cleanup.policy': 'compact' } };
    const settings = testSettings([compacted]);
    await ensureTopics(settings);
    const put = (key: string, value: string) => publish(settings, [value], 'table', key);
    for (const key of ['a', 'b', 'c']) await put(key, 'old');
    const rows = new Map<string, string>();
    const table = new CompactedTable(settings, {
      topic: 'table',
      apply: (key, value) => void rows.set(key, String(value)),
    });
    cleanups.push(() => table.stop());
    await table.start();
    expect([...rows.keys()]).toEqual(['a', 'b', 'c']);

    await recreate(settings, 'table');
    await put('d', 'new');
    await put('a', 'new');

    await until('the new records are read', () => rows.get('a') === 'new' && rows.get('d') === 'new', 15_000);
    expect(rows.get('b')).toBe('old');
  });
});

describe('TopicKeeper', () => {
  it('given a topic that is deleted, then it is created again as configured, once, and counted', async () => {
    const settings = testSettings([logTopic('log', 3), logTopic('other')]);
    await ensureTopics(settings);
    const keepers = [new TopicKeeper(settings), new TopicKeeper(settings)];
    for (const keeper of keepers) {
      keeper.start();
      cleanups.push(() => keeper.stop());
    }
    const admin = await adminOf(settings);
    const before = await counted('posthorn_topics_recreated_total', 'log');
    await until('the ids are known', () => keepers.every((keeper) => keeper.isWatching('log')));
    await admin.deleteTopics({ topics: [`${settings.prefix}log`] });

    await until(
      'the keepers see another topic',
      () => keepers.every((each) => each.replacementsOf('log') === 1),
      15_000,
    );
    const { topics } = await admin.fetchTopicMetadata({ topics: [`${settings.prefix}log`] });
    expect(topics[0]?.partitions).toHaveLength(3);
    await expect(ensureTopics(settings)).resolves.toBeUndefined();
    expect((await counted('posthorn_topics_recreated_total', 'log')) - before).toBe(1);
    expect(keepers[0]?.replacementsOf('other')).toBe(0);
  });
});

describe('RecordProducer', () => {
  it('given a topic that is missing, then writes to another go on, and its own are stored when it is back', async () => {
    const settings = testSettings([logTopic('log'), logTopic('gone')]);
    await ensureTopics(settings);
    const producer = new RecordProducer(settings);
    await producer.connect();
    cleanups.push(() => producer.close());
    await producer.write(['log', 'gone'].map((topic) => ({ topic, key: 'k', value: 'before' })));
    const admin = await adminOf(settings);
    await admin.deleteTopics({ topics: [`${settings.prefix}gone`] });
    await until('the topic is gone', async () => !(await admin.listTopics()).includes(`${settings.prefix}gone`));

    const waiting = producer.write([{ topic: 'gone', key: 'k', value: 'waits' }]);
    await producer.write([{ topic: 'log', key: 'k', value: 'first' }]);
    const startedAt = Date.now();
    await producer.write([{ topic: 'log', key: 'k', value: 'second' }]);
    expect(Date.now() - startedAt).toBeLessThan(500);

    await ensureTopics(settings);
    await waiting;
    const [end] = await admin.fetchTopicOffsets(`${settings.prefix}gone`);
    expect(end?.high).toBe('1');
  });
});
