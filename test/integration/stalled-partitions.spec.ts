import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { register } from 'prom-client';
import { kafkaClient } from '#common/kafka/connect.js';
import { consumerClient } from '#common/kafka/kafkajs/consumer/consumer-lag.js';
import { GroupOffsets } from '#common/kafka/kafkajs/consumer/group-offsets.js';
import { type ConsumerClient, KafkajsConsumer } from '#common/kafka/kafkajs/consumer/log-consumer.js';
import type { LogConsumerOptions } from '#common/kafka/port/log-consumer.js';
import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import type { KafkaSettings } from '#common/kafka/port/settings.js';
import { delay } from '#common/timing/timing.js';
import { logTopic, testSettings } from '../support/kafka-port/recording-consumer.js';
import { testBrokers } from '../support/servers.js';
import { until } from '../support/until.js';

/*
 * The reports of a consumer about stalled partitions (docs/adr/0023). The faults are planted between kafkajs and the
 * consumer, so the tests do not depend on faults of the consumer itself.
 */

const STALL_MS = 2_000;
/** The stall limit, one check interval of 1 s, and a margin for a busy machine. */
const NAMED_WITHIN_MS = 30_000;

jest.setTimeout(120_000);

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Started {
  readonly consumer: KafkajsConsumer;
  readonly logs: OwnedLog[];
  readonly values: string[];
  readonly fatal: Error[];
}

async function prepared(topics = ['log']): Promise<KafkaSettings> {
  const settings = testSettings(
    topics.map((topic) => logTopic(topic)),
    { stallMs: STALL_MS },
  );
  await kafkaClient(settings).ensureTopics();
  return settings;
}

async function start(
  settings: KafkaSettings,
  options: Partial<LogConsumerOptions> = {},
  client: (settings: KafkaSettings) => ConsumerClient = consumerClient,
): Promise<Started> {
  const started = { logs: [] as OwnedLog[], values: [] as string[], fatal: [] as Error[] };
  const own = { ...settings, onFatal: (error: Error) => void started.fatal.push(error) };
  const onBatch: LogConsumerOptions['onBatch'] = ({ log, records }) => {
    for (const { value, offset } of records) {
      started.values.push(String(value));
      log.finish(offset);
    }
  };
  const ownership = { onOwned: (log: OwnedLog) => void started.logs.push(log) };
  const all = { groupId: 'readers', topics: ['log'], maxWaitMs: 100, onBatch, ownership, ...options };
  const consumer = new KafkajsConsumer(own, all, client(own));
  cleanups.push(() => consumer.stop());
  await consumer.start();
  await until('the partition is owned', () => started.logs.length > 0);
  return { ...started, consumer };
}

/** A client that drops its batches before the consumer. */
function refusing(settings: KafkaSettings): ConsumerClient {
  const client = consumerClient(settings);
  return {
    ...client,
    consumer: (config) => {
      const consumer = client.consumer(config);
      return { ...consumer, run: (options) => consumer.run({ ...options, eachBatch: () => delay(50) }) };
    },
  };
}

async function publish(settings: KafkaSettings, ...values: string[]): Promise<void> {
  const writer = kafkaClient(settings).producer();
  await writer.connect();
  await writer.write(values.map((value) => ({ topic: 'log', key: 'k', value })));
  await writer.close();
}

async function transactional({ prefix }: KafkaSettings): Promise<Producer> {
  const kafka = new Kafka({ brokers: testBrokers(), logLevel: logLevel.NOTHING });
  const options = { transactionalId: `${prefix}tx`, maxInFlightRequests: 1, idempotent: true };
  const producer = kafka.producer(options);
  await producer.connect();
  cleanups.push(() => producer.disconnect());
  return producer;
}

async function gauge(name: string, labels: Readonly<Record<string, string | number>>): Promise<number | undefined> {
  const metric = await register.getSingleMetric(name)?.get();
  const isAsked = (of: Readonly<Record<string, unknown>>) =>
    Object.entries(labels).every(([label, value]) => of[label] === value);
  return metric?.values.find((value) => isAsked(value.labels))?.value;
}

const log = { topic: 'log', partition: 0 };

describe('a partition that is not read', () => {
  it('when it has lag, then readiness names it, the process ends once, and its successor continues', async () => {
    const settings = await prepared();
    await publish(settings, 'one', 'two');
    const first = await start(settings, {}, refusing);

    await until('readiness names it', () => first.consumer.problem() !== undefined, NAMED_WITHIN_MS);
    expect(first.consumer.problem()).toMatch(/^log\/0 has stood still for \d+ s, 2 records behind \(not read\)$/);
    expect(await gauge('posthorn_consumer_stalled_partitions', { topic: 'log' })).toBe(1);
    expect(await gauge('posthorn_consumer_lag_records', log)).toBe(2);
    await until('the process ends', () => first.fatal.length > 0, NAMED_WITHIN_MS);
    expect(first.fatal[0]?.message).toMatch(/^stalled: log\/0/);
    await first.consumer.stop();

    const second = await start(settings, {}, refusing);
    await until('its successor names it', () => second.consumer.problem() !== undefined, NAMED_WITHIN_MS);
    await delay(3 * STALL_MS);
    expect(second.fatal).toEqual([]);
    await second.consumer.stop();

    const mended = await start(settings);
    await until('both are read', () => mended.values.length === 2);
    await until('no lag is shown', async () => (await gauge('posthorn_consumer_lag_records', log)) === 0);
    expect(mended.consumer.problem()).toBeUndefined();
  });
});

describe('a partition whose records are not finished', () => {
  const keep = { onBatch: () => undefined };

  it('when the app gives no reason, then readiness names it until a record is finished', async () => {
    const settings = await prepared();
    await publish(settings, 'one', 'two');
    const reader = await start(settings, keep);

    await until('readiness names it', () => reader.consumer.problem() !== undefined, NAMED_WITHIN_MS);
    expect(reader.consumer.problem()).toMatch(/2 records behind \(not finished\)$/);
    reader.logs[0]?.finish(0);
    await until('it moves again', () => reader.consumer.problem() === undefined);
  });

  it('when the app gives a reason, then it is no stall', async () => {
    const settings = await prepared();
    await publish(settings, 'one');
    const reader = await start(settings, { ...keep, waitsFor: () => 'due times' });

    await delay(4 * STALL_MS);
    expect(reader.consumer.problem()).toBeUndefined();
    expect(reader.fatal).toEqual([]);
    expect(await gauge('posthorn_consumer_lag_records', log)).toBe(1);
  });
});

describe('an open transaction', () => {
  it('given an open transaction, then a gauge shows it, and it is neither lag nor stall', async () => {
    const settings = await prepared();
    const producer = await transactional(settings);
    const reader = await start(settings);
    const transaction = await producer.transaction();
    await transaction.send({ topic: `${settings.prefix}log`, messages: [{ key: 'k', value: 'open' }] });

    await until('it is shown', async () => (await gauge('posthorn_consumer_open_transaction_records', log)) === 1);
    await delay(2 * STALL_MS);
    expect(await gauge('posthorn_consumer_lag_records', log)).toBe(0);
    expect(reader.consumer.problem()).toBeUndefined();
    await transaction.commit();
  });
});

describe('GroupOffsets', () => {
  it('given a deleted topic, then the others are measured, and the deleted one is named', async () => {
    const settings = await prepared(['log', 'side']);
    await publish(settings, 'one');
    const admin = new Kafka({ brokers: testBrokers(), logLevel: logLevel.NOTHING }).admin();
    cleanups.push(() => admin.disconnect());
    await admin.connect();
    const offsets = new GroupOffsets(settings, { groupId: 'readers', topics: ['log', 'side'] });
    cleanups.push(() => offsets.close());
    await admin.deleteTopics({ topics: [`${settings.prefix}side`] });

    await until('it is missing', async () => (await offsets.read()).missing.length > 0);

    const { logs, missing } = await offsets.read();
    expect(missing).toEqual([`${settings.prefix}side`]);
    expect(logs).toEqual([{ topic: `${settings.prefix}log`, partition: 0, commit: 0, stable: 1, end: 1 }]);
  });

  it('given an end that is noted, then any process reads it', async () => {
    const settings = await prepared();
    const topic = `${settings.prefix}log`;
    const readers = [1, 2].map(() => new GroupOffsets(settings, { groupId: 'readers', topics: ['log'] }));
    for (const reader of readers) cleanups.push(() => reader.close());
    const end = { at: 1_800_000_000_000, commit: 3, stable: 9 };

    expect(await readers[0]?.lastEnd(topic, 0)).toBeUndefined();
    await readers[0]?.noteEnd(topic, 0, end);

    expect(await readers[1]?.lastEnd(topic, 0)).toEqual(end);
  });
});
