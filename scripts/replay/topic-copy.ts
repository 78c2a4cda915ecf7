import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Consumer, Kafka, KafkaMessage } from 'kafkajs';
import { kafkaClient, keyedProducer } from '../lib/kafka-client.ts';
import { portions } from '../lib/portions.ts';

/** Most records and bytes of one produce request; every topic accepts a batch of this size. */
const PORTION = { records: 200, bytes: 512 * 1_024, overhead: 1_024 };
const MAX_TRIES = 8;
const RETRY_MS = 500;

/**
 * Copies the present records of a topic.
 *
 * @returns number of copies that Kafka acknowledged
 */
export async function copyRecords({
  brokers,
  from,
  to,
  select,
  headersOf = ({ headers }) => headers,
  onTooLarge,
}: {
  brokers: string[];
  from: string;
  to: string;
  /** Called once per record, in the order of each partition. */
  select: (record: KafkaMessage) => boolean;
  /** Makes the headers of a copy; by default those of the record. */
  headersOf?: (record: KafkaMessage) => KafkaMessage['headers'];
  /** A record is larger than the target takes: it is left out, and the others are copied. */
  onTooLarge: (record: KafkaMessage) => void;
}): Promise<number> {
  const kafka = kafkaClient({ clientId: 'posthorn-replay', brokers });
  const producer = keyedProducer(kafka, { retry: { retries: 0 } });
  await producer.connect();
  const copy = (record: KafkaMessage) => copyOf(record, headersOf(record));
  let copied = 0;
  try {
    await readToEnd(kafka, from, async (records) => {
      for (const portion of portions(records.filter(select), PORTION)) {
        const isSent = await sendWhole(() => producer.send({ topic: to, acks: -1, messages: portion.map(copy) }));
        if (isSent) copied += portion.length;
        else portion.forEach(onTooLarge);
      }
    });
  } finally {
    await producer.disconnect();
  }
  return copied;
}

/**
 * Sends a whole portion again: kafkajs's own retries may report a partly stored portion as sent (docs/adr/0002).
 *
 * @returns false when it is too large, which only a portion of one record can be
 */
async function sendWhole(send: () => Promise<unknown>): Promise<boolean> {
  for (let triesLeft = MAX_TRIES; ; triesLeft--) {
    try {
      await send();
      return true;
    } catch (error) {
      if (isTooLarge(error)) return false;
      if (triesLeft === 1) throw error;
      await delay(RETRY_MS);
    }
  }
}

function isTooLarge(error: unknown): boolean {
  return (
    error instanceof Error &&
    'type' in error &&
    (error.type === 'MESSAGE_TOO_LARGE' || error.type === 'RECORD_LIST_TOO_LARGE')
  );
}

function copyOf({ key, value }: KafkaMessage, headers: KafkaMessage['headers']) {
  return { key, value, ...(headers ? { headers } : {}) };
}

/**
 * Reads each partition from its start to its present end, in a temporary group.
 *
 * @param take called with one batch after the other of a partition
 */
export async function readToEnd(kafka: Kafka, topic: string, take: (records: KafkaMessage[]) => Promise<void>) {
  const admin = kafka.admin();
  const groupId = `posthorn-replay-${randomUUID()}`;
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 200 });
  await admin.connect();
  try {
    const offsets = await admin.fetchTopicOffsets(topic);
    const ends = new Map(
      offsets.filter(({ low, high }) => high !== low).map(({ partition, high }) => [partition, Number(high)]),
    );
    if (ends.size === 0) return;
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await untilAllRead(consumer, ends, take);
  } finally {
    await consumer.disconnect();
    await admin.deleteGroups([groupId]).catch(() => undefined);
    await admin.disconnect();
  }
}

/** @param ends end offsets by partition; finished partitions are removed */
async function untilAllRead(
  consumer: Consumer,
  ends: Map<number, number>,
  take: (records: KafkaMessage[]) => Promise<void>,
) {
  const done = Promise.withResolvers<void>();
  consumer.on(consumer.events.CRASH, ({ payload }) => done.reject(payload.error));
  // The event follows each handled batch. For a batch of aborted and control records, kafkajs calls no handler.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { partition, lastOffset } }) => {
    if (Number(lastOffset) + 1 >= (ends.get(partition) ?? Number.POSITIVE_INFINITY)) ends.delete(partition);
    if (ends.size === 0) done.resolve();
  });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      const end = ends.get(batch.partition);
      if (end === undefined) return;
      try {
        await take(batch.messages.filter(({ offset }) => Number(offset) < end));
      } catch (error) {
        done.reject(error);
      }
    },
  });
  await done.promise;
}
