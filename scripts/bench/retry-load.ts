import { setTimeout as delay } from 'node:timers/promises';
import { hopFor } from '#common/domain/tier.js';
import { kafkaClient } from '#common/kafka/connect.js';
import type { LogConsumer } from '#common/kafka/port/log-consumer.js';
import type { LogBatch } from '#common/kafka/port/owned-log.js';
import type { RecordProducer } from '#common/kafka/port/record-writer.js';
import { DELIVERY_HEADER, decodeDelivery, encodeDelivery } from '#common/records/delivery-record.js';
import { until } from '../lib/until.mjs';
import { benchKafkaSettings } from './kafka-settings.ts';

const VALUE = Buffer.from(JSON.stringify({ id: 'evt', data: 'x'.repeat(1_000) }));
const BURST_MS = 10;
/** The dispatcher's fetch settings. */
const DISPATCHER_PACE_MS = 4;

/** Delays of a typical mix of failures: presets, jittered backoff, `Retry-After`, a few long ones. */
const MIX: readonly { share: number; waitMs: () => number }[] = [
  { share: 0.25, waitMs: () => 4_000 },
  { share: 0.2, waitMs: () => 16_000 },
  { share: 0.25, waitMs: () => between(100, 16_000) },
  { share: 0.15, waitMs: () => 16_000 * between(0.9, 1.1) },
  { share: 0.08, waitMs: () => between(16_000, 32_000) },
  { share: 0.06, waitMs: () => 1_000 * Math.ceil(between(0, 30)) },
  { share: 0.01, waitMs: () => between(30_000, 66_000) },
];

/** Stands in for the dispatcher: writes retries to the tiers, and reads the returns. */
export class RetryLoad {
  private readonly producer: RecordProducer;
  private readonly consumer: LogConsumer;
  sent = 0;
  /** Ids of the deliveries that returned. */
  returned = new Set<string>();
  /** Lateness at which Kafka stored each return, in ms. */
  stored: number[] = [];
  /** Lateness at which each return was read from Kafka, in ms. */
  arrived: number[] = [];

  constructor(brokers: string[]) {
    const kafka = kafkaClient(benchKafkaSettings(brokers));
    this.producer = kafka.producer();
    this.consumer = kafka.consumer({
      groupId: 'bench',
      topics: ['deliveries'],
      onBatch: (batch) => this.#read(batch),
      paceMs: DISPATCHER_PACE_MS,
    });
  }

  async start() {
    await this.producer.connect();
    await this.consumer.start();
    await until('the consumer is ready', () => this.consumer.problem() === undefined, { timeoutMs: 30_000 });
  }

  /** Writes at a fixed rate, without waiting for acknowledgements. */
  async send({ rate, seconds }: { rate: number; seconds: number }) {
    const startedAt = Date.now();
    const writes = [];
    while (this.sent < rate * seconds) {
      const wanted = Math.min(rate * seconds, Math.floor(((Date.now() - startedAt) * rate) / 1_000));
      const burst = Array.from({ length: wanted - this.sent }, () =>
        retryRecord(`dlv_${this.sent++}`, Math.round(pickWaitMs())),
      );
      writes.push(this.producer.write(burst));
      await delay(BURST_MS);
    }
    await Promise.all(writes);
  }

  async allReturned(timeoutMs: number) {
    const isDone = () => this.returned.size >= this.sent;
    await until('all have returned', isDone, { timeoutMs }).catch((error) => console.error(String(error)));
  }

  async stop() {
    await this.consumer.stop();
    await this.producer.close();
  }

  #read({ log, records }: LogBatch) {
    const now = Date.now();
    for (const { offset, timestamp, headers } of records) {
      const meta = decodeDelivery(headers[DELIVERY_HEADER]);
      if (meta?.dueAt === undefined) throw new Error('a return without a due time');
      this.returned.add(meta.deliveryId);
      this.stored.push(timestamp - meta.dueAt);
      this.arrived.push(now - meta.dueAt);
      log.finish(offset);
    }
  }
}

/** A delivery that waits for its second attempt. */
export function retryRecord(deliveryId: string, waitMs: number) {
  const { tier, dueAt, tierUntil } = hopFor(waitMs, Date.now());
  const header = encodeDelivery({
    deliveryId,
    eventId: deliveryId.replace('dlv', 'evt'),
    endpointId: `ep_${deliveryId.length}`,
    tenant: 'default',
    eventType: 'invoice.paid',
    attempt: 1,
    replay: 0,
    acceptedAt: Date.now(),
    returned: false,
    place: 1,
    dueAt,
    tierUntil,
  });
  return { topic: tier.topic, key: deliveryId, value: VALUE, headers: { [DELIVERY_HEADER]: header } };
}

function pickWaitMs() {
  let left = Math.random();
  for (const { share, waitMs } of MIX) {
    left -= share;
    if (left < 0) return waitMs();
  }
  return 4_000;
}

function between(low: number, high: number) {
  return low + Math.random() * (high - low);
}
