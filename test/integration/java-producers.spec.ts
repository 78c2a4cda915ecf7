import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { kafkaClient } from '#common/kafka/connect.js';
import { GroupOffsets } from '#common/kafka/kafkajs/consumer/group-offsets.js';
import type { KafkaSettings } from '#common/kafka/port/settings.js';
import { runJavaTool, startJavaTool } from '../support/java-client.js';
import { logTopic, RecordingConsumer, testSettings } from '../support/kafka-port/recording-consumer.js';
import { testBrokers } from '../support/servers.js';
import { until } from '../support/until.js';

/* Records of Java's client, written with Kafka's own tools. */

const TIMEOUT_MS = 120_000;
const SERVER = ['--bootstrap-server', testBrokers().join(',')];

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function reading(settings: KafkaSettings): Promise<RecordingConsumer> {
  const reader = new RecordingConsumer(settings, { groupId: 'readers', topics: ['log'] });
  cleanups.push(() => reader.stop());
  await reader.start();
  return reader;
}

describe('batches as the broker stores them', () => {
  const LINES = ['short', `{"id":"evt-1","data":"${'abc'.repeat(700)}"}`, 'x'.repeat(5_000), '{"ü":"\\u0000"}'];
  const RECORDS = 1_000;

  it.each(['gzip', 'snappy', 'lz4', 'zstd'])(
    "given a topic stored in %s and Java's producer, then all records are read",
    async (codec) => {
      const { config, ...topic } = logTopic('log');
      const settings = testSettings([{ ...topic, config: { ...config, 'compression.type': codec } }]);
      await kafkaClient(settings).ensureTopics();
      const folder = await mkdtemp(join(tmpdir(), 'posthorn-'));
      cleanups.push(() => rm(folder, { recursive: true }));
      await writeFile(join(folder, 'lines'), LINES.join('\n'));
      const batches = ['--command-property', `compression.type=${codec}`, 'batch.size=100000', 'linger.ms=20'];
      const records = ['--payload-file', join(folder, 'lines'), '--num-records', String(RECORDS), '--throughput', '-1'];
      await runJavaTool('ProducerPerformance', [...SERVER, '--topic', `${settings.prefix}log`, ...records, ...batches]);

      const reader = await reading(settings);
      await until('all are read', () => reader.records.length === RECORDS);
      expect(new Set(reader.values())).toEqual(new Set(LINES));
      expect(reader.records.map(({ offset }) => offset)).toEqual(Array.from({ length: RECORDS }, (_, index) => index));
    },
    TIMEOUT_MS,
  );
});

describe("a transaction of Java's producer that is killed half-way", () => {
  async function killedHalfWay(timeoutMs: number) {
    const settings = testSettings([logTopic('log')]);
    await kafkaClient(settings).ensureTopics();
    const producer = kafkaClient(settings).producer();
    await producer.connect();
    cleanups.push(() => producer.close());
    const reader = await reading(settings);
    await producer.write([{ topic: 'log', key: 'k', value: 'before' }]);
    await until('the first is read', () => reader.records.length === 1);
    const offsets = new GroupOffsets(settings, { groupId: 'any', topics: ['log'] });
    cleanups.push(() => offsets.close());
    const log = async () => (await offsets.read()).logs[0];

    const transaction = ['--transactional-id', randomUUID(), '--transaction-duration-ms', '600000'];
    const records = ['--num-records', '100000', '--record-size', '500', '--throughput', '300'];
    const limit = ['--command-property', `transaction.timeout.ms=${timeoutMs}`];
    const topic = `${settings.prefix}log`;
    const java = startJavaTool('ProducerPerformance', [
      ...SERVER,
      '--topic',
      topic,
      ...records,
      ...transaction,
      ...limit,
    ]);
    cleanups.push(() => java.kill('SIGKILL'));
    await until('it has written more than a fetch takes', async () => ((await log())?.end ?? 0) > 300, TIMEOUT_MS);
    java.kill('SIGKILL');
    await producer.write([{ topic: 'log', key: 'k', value: 'behind' }]);
    return { reader, log, topic, producer };
  }

  async function expectToGoOn({ reader, producer }: Awaited<ReturnType<typeof killedHalfWay>>): Promise<void> {
    await until('what lies behind it is read', () => reader.values().includes('behind'), TIMEOUT_MS);
    await producer.write([{ topic: 'log', key: 'k', value: 'later' }]);
    await until('what comes later is read', () => reader.values().includes('later'));
    expect(reader.values()).toEqual(['before', 'behind', 'later']);
  }

  it(
    'given kafka-transactions aborts it, then its partition continues, and none of its records is read',
    async () => {
      const killed = await killedHalfWay(600_000);
      const { reader, log, topic } = killed;
      const stable = (await log())?.stable;
      expect(stable).toBe(1);
      expect(reader.values()).toEqual(['before']);
      const where = ['--topic', topic, '--partition', '0', '--start-offset', String(stable)];
      await runJavaTool('TransactionsCommand', [...SERVER, 'abort', ...where]);
      await expectToGoOn(killed);
    },
    TIMEOUT_MS,
  );

  it(
    'given it times out, then its partition continues, and none of its records is read',
    async () => expectToGoOn(await killedHalfWay(5_000)),
    TIMEOUT_MS,
  );
});
