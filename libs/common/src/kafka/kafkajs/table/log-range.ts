import { randomUUID } from 'node:crypto';
import type { Consumer } from 'kafkajs';
import type { KafkaSettings } from '../../port/settings.js';
import type { LogRange, TakeRecords } from '../../port/topics.js';
import { createKafka } from '../connection/client.js';
import { BATCH_RUN, type BatchPayload } from '../patches/fetched-batch.js';
import { hookedAssigner } from '../patches/patch-kafkajs.js';
import { withLogBounds } from '../topics/log-bounds.js';

interface Bounds {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads a range of a topic once, in a consumer group of its own, which commits nothing and is deleted afterwards.
 *
 * @throws the errors of `take`; Error when the client gives up
 */
export async function readLogRange(settings: KafkaSettings, range: LogRange, take: TakeRecords): Promise<void> {
  const kafka = createKafka(settings);
  const topic = settings.prefix + range.topic;
  const groupId = `${settings.prefix}range-${range.topic}-${randomUUID()}`;
  const admin = kafka.admin({ retry: { retries: 5 } });
  const consumer = kafka.consumer({
    groupId,
    maxWaitTimeInMs: 200,
    retry: { retries: 5 },
    partitionAssigners: [hookedAssigner({})],
  });
  await admin.connect();
  try {
    const bounds = await boundsOf(settings, range);
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
async function boundsOf(settings: KafkaSettings, { topic, sinceMs }: LogRange): Promise<Map<number, Bounds>> {
  return withLogBounds(settings, async (reader) => {
    const ends = await reader.of(topic);
    const starts = await reader.firstSince(topic, Math.max(0, Math.floor(sinceMs)));
    const bounds = ends.map(({ partition, low, high }) => {
      const start = Math.max(starts.get(partition) ?? low, low);
      return [partition, { start, end: high }] as const;
    });
    return new Map(bounds.filter(([, { start, end }]) => start < end));
  });
}

async function readAll(
  consumer: Consumer,
  { topic, name, bounds, take }: { topic: string; name: string; bounds: Map<number, Bounds>; take: TakeRecords },
): Promise<void> {
  const done = Promise.withResolvers<void>();
  const left = new Set(bounds.keys());
  consumer.on(consumer.events.CRASH, ({ payload }) => done.reject(payload.error));
  const takeBatch = async ({ batch: { partition, fetchedOffset, fetched }, resolveOffset }: BatchPayload) => {
    const { start, end } = bounds.get(partition) ?? { start: 0, end: 0 };
    const from = Number(fetchedOffset);
    const { records, next } = await fetched.read(from, { topic: name, partition });
    const wanted = records.filter(({ offset }) => offset >= start && offset < end);
    if (wanted.length > 0 && left.has(partition)) await take(wanted);
    if (next > from) resolveOffset(String(next - 1));
    if (next >= end) left.delete(partition);
    if (left.size === 0) done.resolve();
  };
  await consumer.run({
    ...BATCH_RUN,
    eachBatch: (payload) => takeBatch(payload as unknown as BatchPayload).catch((error) => done.reject(error)),
  });
  for (const [partition, { start }] of bounds) consumer.seek({ topic, partition, offset: String(start) });
  await done.promise;
}
