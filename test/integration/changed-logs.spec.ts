import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { encodeCommit } from '#common/domain/commit-metadata.js';
import { kafkaClient } from '#common/kafka/connect.js';
import type { KafkaSettings } from '#common/kafka/port/settings.js';
import { startKafka } from '../../scripts/lib/kafka.mjs';
import { freePort } from '../../scripts/lib/ports.mjs';
import { logTopic, testSettings } from '../support/kafka-port/recording-consumer.js';
import { counted, Opened, publish, values } from '../support/log-readers.js';
import { until } from '../support/until.js';

/*
 * Logs that differ from the log of a commit: recreated or truncated (docs/adr/0025).
 */

const opened = new Opened();
afterEach(() => opened.close());

describe('a recreated topic', () => {
  it('given a commit of another log, then reading starts at the first record, and the change is counted', async () => {
    const settings = testSettings([logTopic('log')]);
    await kafkaClient(settings).ensureTopics();
    await publish(settings, values('new', 10));
    await commitAs(settings, 'B'.repeat(22), 6);

    const reader = await opened.consume(settings);

    await until('all are read', () => reader.records.length === 10);
    expect(reader.values()).toEqual(values('new', 10));
    expect(await counted('posthorn_log_replaced_total', `${settings.prefix}log`)).toBe(1);
  });

  it('given a running consumer, when the new log is longer than the old one, then every record is read', async () => {
    const settings = testSettings([logTopic('log'), logTopic('other')]);
    await kafkaClient(settings).ensureTopics();
    await publish(settings, values('old', 5));
    const reader = await opened.consume(settings, ['log', 'other']);
    await until('the old ones are read', () => reader.records.length === 5);

    await opened.recreate(settings, 'log');
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

describe('a truncated log', () => {
  it('given a running consumer and records deleted beyond its position, then the loss is counted and later records are read', async () => {
    const settings = testSettings([logTopic('log')]);
    await kafkaClient(settings).ensureTopics();
    const reader = await opened.consume(settings);
    await until('the log is owned', () => reader.owned.length === 1);
    reader.owned[0]?.pause();
    await publish(settings, values('v', 10));
    const admin = await opened.adminOf(settings);
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

  it('given a lost tail, and a log that grew past the commit again, then only new records are read', async () => {
    const broker = await ownBroker();
    const settings = testSettings([logTopic('log')], { brokers: broker.kafka.brokers });
    await kafkaClient(settings).ensureTopics();
    const folder = join(broker.data, `${settings.prefix}log-0`);
    await publish(settings, values('old', 5));
    const first = await opened.consume(settings);
    await until('the first five are read', () => first.records.length === 5);
    await first.stop();
    await broker.kafka.stop();
    const copy = `${broker.root}/copy`;
    cpSync(folder, copy, { recursive: true });
    await broker.kafka.start();
    await publish(settings, values('lost', 5));
    const second = await opened.consume(settings);
    await until('the tail is read', () => second.records.length === 5);
    await second.stop();
    expect(await opened.committed(settings)).toBe('10');

    await broker.cut(folder, copy);
    const third = await opened.consume(settings);
    await until('the log is owned', () => third.owned.length === 1);
    await publish(settings, ['after']);
    await until('what is new is read', () => third.records.length === 1);
    expect(third.values()).toEqual(['after']);
    await third.stop();
    expect(await opened.committed(settings)).toBe('6');

    await broker.cut(folder, copy);
    await publish(settings, values('grown', 4));
    const fourth = await opened.consume(settings);
    await until('what is new is read', () => fourth.records.length >= 4);
    expect(fourth.values()).toEqual(values('grown', 4));
    expect(await counted('posthorn_log_truncated_total', `${settings.prefix}log`)).toBe(2);
    expect(await counted('posthorn_log_replaced_total', `${settings.prefix}log`)).toBe(0);

    await until('the commit follows', async () => (await opened.committed(settings)) === '9');
    await broker.cut(folder, copy);
    await publish(settings, values('beneath', 7));
    await until('a consumer that ran reads what is new', () => fourth.records.length >= 11, 40_000);
    expect(fourth.values()).toEqual([...values('grown', 4), ...values('beneath', 7)]);
  }, 180_000);
});

/** Writes a commit of the group, as from a member that read another log. */
async function commitAs(settings: KafkaSettings, topicId: string, offset: number): Promise<void> {
  await opened.commit(settings, offset, encodeCommit({ topicId, leaderEpoch: 0, evidence: undefined }, offset, [7]));
}

async function ownBroker() {
  const root = mkdtempSync(join(tmpdir(), 'posthorn-cut-'));
  const kafka = await startKafka({ dir: join(root, 'kafka'), port: await freePort() });
  opened.add(async () => {
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
  it('given a running table, then it reads the new log from the first record', async () => {
    const compacted = { topic: 'table', partitions: 1, config: { 'cleanup.policy': 'compact' } };
    const settings = testSettings([compacted]);
    await kafkaClient(settings).ensureTopics();
    const put = (key: string, value: string) => publish(settings, [value], 'table', key);
    for (const key of ['a', 'b', 'c']) await put(key, 'old');
    const rows = new Map<string, string>();
    const table = kafkaClient(settings).table({
      topic: 'table',
      apply: (key, value) => void rows.set(key, String(value)),
    });
    opened.add(() => table.stop());
    await table.start();
    expect([...rows.keys()]).toEqual(['a', 'b', 'c']);

    await opened.recreate(settings, 'table');
    await put('d', 'new');
    await put('a', 'new');

    await until('the new records are read', () => rows.get('a') === 'new' && rows.get('d') === 'new', 15_000);
    expect(rows.get('b')).toBe('old');
  });

  it('given a shorter new log, when a caller catches up at once, then every record of the new log is applied, or it is rejected', async () => {
    const { settings, rows, table, put } = await compactedTable();
    for (const key of ['a', 'b', 'c']) await put(key, 'old');
    await table.start();
    await opened.recreate(settings, 'table');
    await put('d', 'new');

    const caughtUp = async () => {
      try {
        await table.catchUp();
        return true;
      } catch {
        return false;
      }
    };
    await until('the table catches up', caughtUp);
    expect(rows.get('d')).toBe('new');
  });
});

describe('a truncated compacted topic', () => {
  it('given a running table, when the log lost its tail, then it applies records below its former position', async () => {
    const broker = await ownBroker();
    const { settings, rows, table, put, replaced } = await compactedTable(broker.kafka.brokers);
    const folder = join(broker.data, `${settings.prefix}table-0`);
    for (const key of ['a', 'b', 'c']) await put(key, 'kept');
    await table.start();
    await broker.kafka.stop();
    const copy = `${broker.root}/copy`;
    cpSync(folder, copy, { recursive: true });
    await broker.kafka.start();
    for (const key of ['d', 'e', 'f', 'g']) await put(key, 'lost');
    await until('the tail is read', () => rows.get('g') === 'lost', 30_000);

    await broker.cut(folder, copy);
    await put('h', 'after');
    await until('a record below the position is read', () => rows.get('h') === 'after', 30_000);
    expect(replaced()).toBe(1);

    await broker.cut(folder, copy);
    for (const key of ['i', 'j', 'k', 'l', 'm', 'n']) await put(key, 'grown');
    await until('all records of a log that grew past the position are read', () => rows.get('n') === 'grown', 30_000);
    for (const key of ['i', 'j', 'k', 'l', 'm']) expect([key, rows.get(key)]).toEqual([key, 'grown']);
    expect(await counted('posthorn_log_truncated_total', `${settings.prefix}table`)).toBe(2);
  }, 180_000);
});

/** A table of a topic `table`, not started yet. */
async function compactedTable(brokers?: string[]) {
  const compacted = { topic: 'table', partitions: 1, config: { 'cleanup.policy': 'compact' } };
  const settings = testSettings([compacted], brokers === undefined ? {} : { brokers });
  await kafkaClient(settings).ensureTopics();
  const rows = new Map<string, string>();
  let replacements = 0;
  const table = kafkaClient(settings).table({
    topic: 'table',
    apply: (key, value) => void rows.set(key, String(value)),
    onReplaced: () => replacements++,
  });
  opened.add(() => table.stop());
  const put = (key: string, value: string) => publish(settings, [value], 'table', key);
  return { settings, rows, table, put, replaced: () => replacements };
}
