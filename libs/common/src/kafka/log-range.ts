import { randomUUID } from 'node:crypto';
import type { Admin, Consumer } from 'kafkajs';
import { createKafka } from './client.js';
import { toRecord } from './kafka-message.js';
import type { InRecord } from './record.js';
import type { KafkaSettings } from './settings.js';

/** A part of a topic: from a moment on, up to where each partition ends when the reading begins. */
export interface LogRange {
  /** Without prefix. */
  readonly topic: string;
  /** ms since the epoch, by the timestamps of the records. */
  readonly sinceMs: number;
}

/** Receives the records of one partition in order. The next ones are fetched when the promise resolves. */
type TakeRecords = (records: readonly InRecord[]) => Promise<void>;

interface Bounds {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads a range of a topic once, in a consumer group of its own, which commits nothing and is deleted afterwards.
 *
 * @throws what `take` throws; Error when the client gives up
 */
export async function readLogRange(settings: KafkaSettings, range: LogRange, take: TakeRecords): Promise<void> {
  const kafka = createKafka(settings);
  const topic = settings.prefix + range.topic;
  const groupId = `${settings.prefix}range-${range.topic}-${randomUUID()}`;
  const admin = kafka.admin({ retry: { retries: 5 } });
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 200, retry: { retries: 5 } });
  await admin.connect();
  try {
    const bounds = await boundsOf(admin, topic, range.sinceMs);
    if (bounds.size === 0) return;
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await readAll(consumer, { topic, name: range.topic, bounds, take });
  } finally {
    await consumer.disconnect();
    // The broker forgets an empty group without offsets by itself.
    await admin.deleteGroups([groupId]).catch(() => undefined);
    await admin.disconnect();
  }
}

/** @returns the partitions with records in the range */
async function boundsOf(admin: Admin, topic: string, sinceMs: number): Promise<Map<number, Bounds>> {
  const ends = await admin.fetchTopicOffsets(topic);
  const starts = await admin.fetchTopicOffsetsByTimestamp(topic, Math.max(0, Math.floor(sinceMs)));
  const bounds = new Map<number, Bounds>();
  for (const { partition, high, low } of ends) {
    const found = starts.find((start) => start.partition === partition);
    const start = Math.max(Number(found?.offset ?? low), Number(low));
    if (start < Number(high)) bounds.set(partition, { start, end: Number(high) });
  }
  return bounds;
}

async function readAll(
  consumer: Consumer,
  { topic, name, bounds, take }: { topic: string; name: string; bounds: Map<number, Bounds>; take: TakeRecords },
): Promise<void> {
  const done = Promise.withResolvers<void>();
  const left = new Set(bounds.keys());
  consumer.on(consumer.events.CRASH, ({ payload }) => done.reject(payload.error));
  // Batches without data records (transaction markers, aborted records) reach this event alone.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { partition, lastOffset } }) => {
    if (Number(lastOffset) + 1 >= (bounds.get(partition)?.end ?? 0)) left.delete(partition);
    if (left.size === 0) done.resolve();
  });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      const { start, end } = bounds.get(batch.partition) ?? { start: 0, end: 0 };
      const records = batch.messages
        .map((message) => toRecord(name, batch.partition, message))
        .filter(({ offset }) => offset >= start && offset < end);
      try {
        if (records.length > 0) await take(records);
      } catch (error) {
        done.reject(error);
      }
    },
  });
  for (const [partition, { start }] of bounds) consumer.seek({ topic, partition, offset: String(start) });
  await done.promise;
}
