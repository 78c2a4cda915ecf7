import { afterEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { register } from 'prom-client';
import { loadConfig } from '#common/config/env.js';
import { hopFor } from '#common/domain/tier.js';
import { kafkaClient } from '#common/kafka/connect.js';
import type { RecordProducer } from '#common/kafka/port/record-writer.js';
import { type KafkaSettings, kafkaSettings } from '#common/kafka/port/settings.js';
import { KafkaTransport } from '#common/kafka/transport.js';
import { Health } from '#common/observability/health.js';
import { readDeadLetter } from '#common/records/dead-letter-record.js';
import { DELIVERY_HEADER, type DeliveryMeta, decodeDelivery, encodeDelivery } from '#common/records/delivery-record.js';
import type { InRecord, OutRecord } from '#common/records/record.js';
import { AppModule } from '../../apps/retry-scheduler/src/app.module.js';
import { configSchema } from '../../apps/retry-scheduler/src/config.js';
import { RecordingConsumer } from '../support/kafka-port/recording-consumer.js';
import { freshTopicPrefix, testBrokers } from '../support/servers.js';
import { until } from '../support/until.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A scheduler on its own topics, and a dispatcher's view of it: writes retries to the tiers, and reads the returns. */
class Bench {
  private app: INestApplication | undefined;

  private constructor(
    private readonly env: NodeJS.ProcessEnv,
    private readonly producer: RecordProducer,
    private readonly consumer: RecordingConsumer,
  ) {}

  static async create(overrides: NodeJS.ProcessEnv = {}): Promise<Bench> {
    const env = {
      KAFKA_BROKERS: testBrokers().join(','),
      KAFKA_TOPIC_PREFIX: freshTopicPrefix(),
      LOG_PARTITIONS: '2',
      SIDE_PARTITIONS: '2',
      LOG_LEVEL: 'silent',
      ...overrides,
    };
    const settings = testSettings(env);
    await kafkaClient(settings).ensureTopics();
    const producer = kafkaClient(settings).producer();
    const consumer = new RecordingConsumer(settings, { groupId: 'test', topics: ['deliveries', 'dlq'] });
    await Promise.all([producer.connect(), consumer.start()]);
    const bench = new Bench(env, producer, consumer);
    cleanups.push(() => Promise.all([bench.stop(), consumer.stop(), producer.close()]));
    return bench;
  }

  async start(): Promise<void> {
    // A process has one metrics registry, and the tests start several apps one after the other.
    register.clear();
    const config = loadConfig(configSchema, this.env);
    const app = await NestFactory.create(AppModule.forConfig(config), new FastifyAdapter(), { logger: false });
    app.connectMicroservice({ strategy: app.get(KafkaTransport) });
    this.app = app;
    await app.init();
    await app.startAllMicroservices();
    await until('the scheduler is ready', () => app.get(Health).ready().status === 'ok');
  }

  async stop(): Promise<void> {
    await this.app?.close();
    this.app = undefined;
  }

  /** Writes a retry, as the dispatcher does after a failed attempt. */
  async retry(deliveryId: string, delayMs: number): Promise<void> {
    const { tier, dueAt, tierUntil } = hopFor(delayMs, Date.now());
    await this.write({ topic: tier.topic, ...delivery(deliveryId, { dueAt, tierUntil }) });
  }

  write(...records: OutRecord[]): Promise<void> {
    return this.producer.write(records);
  }

  in(topic: string): InRecord[] {
    return this.consumer.records.filter((record) => record.topic === topic);
  }

  returns(): { deliveryId: string; lateMs: number; meta: DeliveryMeta }[] {
    return this.in('deliveries').map(({ headers, timestamp }) => {
      const meta = decodeDelivery(headers[DELIVERY_HEADER]);
      if (meta?.dueAt === undefined) throw new Error('a return without a due time');
      return { deliveryId: meta.deliveryId, lateMs: timestamp - meta.dueAt, meta };
    });
  }

  async returned(count: number, timeoutMs = 30_000): Promise<void> {
    await until(`${count} returns`, () => this.in('deliveries').length >= count, timeoutMs);
  }
}

function testSettings(env: NodeJS.ProcessEnv): KafkaSettings {
  return kafkaSettings('test', loadConfig(configSchema, env), {
    topicsReady: Promise.resolve(),
    onFatal: (error) => {
      throw error;
    },
  });
}

function delivery(deliveryId: string, meta: Partial<DeliveryMeta>): Omit<OutRecord, 'topic'> {
  const header = encodeDelivery({
    deliveryId,
    eventId: 'evt_1',
    endpointId: 'ep_1',
    tenant: 'acme',
    eventType: 'invoice.paid',
    attempt: 1,
    replay: 0,
    acceptedAt: Date.now(),
    returned: false,
    place: 5,
    dueAt: undefined,
    tierUntil: undefined,
    ...meta,
  });
  return {
    key: `ep_1:${deliveryId}`,
    value: '{"id":"evt_1"}',
    headers: { [DELIVERY_HEADER]: header, traceparent: 't' },
  };
}

describe('retry scheduler', () => {
  it('given a delivery that waits 4 s, then it returns after 4 s, unchanged, and marked as a return', async () => {
    const bench = await Bench.create();
    await bench.start();
    await bench.retry('dlv_1', 4_000);
    await bench.returned(1);

    const [returned] = bench.returns();
    expect(returned?.lateMs).toBeGreaterThanOrEqual(0);
    expect(returned?.lateMs).toBeLessThan(1_000);
    expect(returned?.meta).toMatchObject({ returned: true, place: 5, attempt: 1, replay: 0 });
    const [record] = bench.in('deliveries');
    expect([record?.key, record?.value, record?.headers.traceparent].map(String)).toEqual([
      'ep_1:dlv_1',
      '{"id":"evt_1"}',
      't',
    ]);
  });

  it('given delays of all kinds, then each delivery returns exactly once and none early', async () => {
    const bench = await Bench.create();
    await bench.start();
    const delays = [
      100,
      900,
      1_500,
      4_000,
      7_777,
      15_999,
      16_000,
      17_300,
      ...Array.from({ length: 300 }, (_, i) => 50 * i),
    ];
    await Promise.all(delays.map((delayMs, index) => bench.retry(`dlv_${index}`, delayMs)));
    await bench.returned(delays.length);
    const returns = bench.returns();
    expect(returns.map(({ deliveryId }) => deliveryId).sort()).toEqual(delays.map((_, index) => `dlv_${index}`).sort());
    for (const { lateMs } of returns) expect(lateMs).toBeGreaterThanOrEqual(0);
    for (const { lateMs } of returns) expect(lateMs).toBeLessThan(2_000);
  }, 60_000);

  it('given poison records, then they are dead letters with their bytes, and their partition continues', async () => {
    const bench = await Bench.create();
    await bench.start();
    const dueAt = Date.now() + 500;
    const poison: Omit<OutRecord, 'topic'>[] = [
      { key: 'ep_1:a', value: Buffer.from([0xff, 0x00, 0xfe]), headers: { other: Buffer.from([1, 2]) } },
      { key: 'ep_1:a', value: null, headers: { [DELIVERY_HEADER]: 'nonsense' } },
      { ...delivery('dlv_null', { dueAt }), value: null },
      { ...delivery('dlv_no_key', { dueAt }), key: null },
      delivery('dlv_no_due', {}),
    ];
    for (const topic of ['retry-4s', 'retry-16s']) await bench.write(...poison.map((record) => ({ topic, ...record })));
    for (const key of ['ep_1:a', 'ep_1:b', 'ep_1:c']) {
      await bench.write({ topic: 'retry-4s', ...delivery(`dlv_${key.slice(-1)}`, { dueAt, tierUntil: dueAt }), key });
      await bench.write({ topic: 'retry-16s', ...delivery(`dlv_${key.slice(-1)}`, { dueAt, tierUntil: dueAt }), key });
    }
    await bench.returned(6);
    await until('all poison is in the dlq', () => bench.in('dlq').length >= 2 * poison.length);

    const letters = bench.in('dlq').map((record) => ({ record, info: readDeadLetter(record.headers) }));
    expect(letters.map(({ info }) => info?.reason)).toEqual(letters.map(() => 'payload_error'));
    const raw = letters.find(({ record }) => record.value?.equals(Buffer.from([0xff, 0x00, 0xfe])));
    expect(raw?.record.key?.toString()).toBe('ep_1:a');
    expect(raw?.record.headers.other).toEqual(Buffer.from([1, 2]));
    expect(raw?.info?.source).toMatch(/^retry-(4|16)s\/\d\/\d+$/);
  });

  it('given a due time in 2099 and invalid tiers, then no other record of the partition waits for it', async () => {
    const bench = await Bench.create({ SIDE_PARTITIONS: '1' });
    await bench.start();
    const never = { dueAt: Date.UTC(2099, 0, 1), tierUntil: Date.UTC(2099, 0, 1) };
    for (const topic of ['retry-4s', 'retry-16s']) await bench.write({ topic, ...delivery('dlv_never', never) });
    const dueAt = Date.now() + 1_000;
    for (const topic of ['retry-4s', 'retry-16s']) {
      await bench.write({ topic, ...delivery(`dlv_${topic}`, { dueAt, tierUntil: dueAt }) });
    }
    await bench.returned(2, 10_000);
    expect(
      bench
        .returns()
        .map(({ deliveryId }) => deliveryId)
        .sort(),
    ).toEqual(['dlv_retry-16s', 'dlv_retry-4s']);
  });

  it('given a restart under load, then every delivery returns exactly once', async () => {
    const bench = await Bench.create();
    await bench.start();
    const delays = Array.from({ length: 200 }, (_, index) => 100 + 60 * index);
    await Promise.all(delays.map((delayMs, index) => bench.retry(`dlv_${index}`, delayMs)));
    await bench.returned(50);
    await bench.stop();
    await bench.start();
    await bench.returned(delays.length);
    const returns = bench.returns();
    expect(returns.map(({ deliveryId }) => deliveryId).sort()).toEqual(delays.map((_, index) => `dlv_${index}`).sort());
    for (const { lateMs } of returns) expect(lateMs).toBeGreaterThanOrEqual(0);
  }, 60_000);

  it('given more deliveries than memory, then they wait in Kafka and all return', async () => {
    const bench = await Bench.create({ EAGER_BUFFER_BYTES: '65536', TIER_BUFFER_BYTES: '65536' });
    await bench.start();
    const body = 'x'.repeat(5_000);
    const dueAt = Date.now() + 3_000;
    const ids = Array.from({ length: 400 }, (_, index) => `dlv_${index}`);
    for (const topic of ['retry-4s', 'retry-16s']) {
      await bench.write(
        ...ids.map((id) => ({ topic, ...delivery(`${topic}.${id}`, { dueAt, tierUntil: dueAt }), value: body })),
      );
    }
    await bench.returned(2 * ids.length, 30_000);
    const returns = bench.returns();
    expect(new Set(returns.map(({ deliveryId }) => deliveryId)).size).toBe(2 * ids.length);
    for (const { lateMs } of returns) expect(lateMs).toBeGreaterThanOrEqual(0);
  }, 60_000);
});
