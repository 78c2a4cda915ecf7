import { randomUUID } from 'node:crypto';
import type { EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import { TIERS } from '../../../libs/common/src/domain/tier.js';
import { type AttemptRecord, decodeAttempt } from '../../../libs/common/src/records/attempt-record.js';
import { readDeadLetter } from '../../../libs/common/src/records/dead-letter-record.js';
import { DELIVERY_HEADER, decodeDelivery } from '../../../libs/common/src/records/delivery-record.js';
import { endpointRecordSchema } from '../../../libs/common/src/records/endpoint-record.js';
import { parseEventRecord } from '../../../libs/common/src/records/event-record.js';
import {
  ATTEMPTS_TOPIC,
  DELIVERIES_TOPIC,
  DLQ_TOPIC,
  ENDPOINTS_TOPIC,
  INGEST_TOPIC,
} from '../../../libs/common/src/records/topics.js';
import type { TopicContents, TopicRecord } from '../judge/evidence.js';

const TOPICS = [
  INGEST_TOPIC,
  DELIVERIES_TOPIC,
  ...TIERS.map(({ topic }) => topic),
  ATTEMPTS_TOPIC,
  DLQ_TOPIC,
  ENDPOINTS_TOPIC,
];
const READ_TIMEOUT_MS = 60_000;
const MAX_EVENT_BYTES = 16 * 1_048_576;

interface Bounds {
  readonly partition: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Reads every topic of the system from its start to its present end.
 *
 * @param kafka client connected to the brokers, past any proxy
 * @throws Error after one minute
 */
export async function readTopics(kafka: Kafka): Promise<TopicContents[]> {
  const bounds = await allBounds(kafka);
  const consumer = kafka.consumer({ groupId: `evidence-${randomUUID()}`, maxWaitTimeInMs: 50 });
  const records = new Map<string, TopicRecord[]>(TOPICS.map((topic) => [topic, []]));
  // Up to the present ends: a running system may write more.
  const missing = new Map<string, number>(
    [...bounds].flatMap(([topic, list]) =>
      list.filter(({ start, end }) => start < end).map(({ partition, end }) => [`${topic}/${partition}`, end] as const),
    ),
  );
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: TOPICS, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`not all topics could be read: ${[...missing]}`)),
        READ_TIMEOUT_MS,
      );
      const done = () => {
        clearTimeout(timer);
        resolve();
      };
      if (missing.size === 0) return done();
      const eachBatch = async ({ batch }: EachBatchPayload) => {
        for (const message of batch.messages)
          records.get(batch.topic)?.push(read(batch.topic, batch.partition, message));
      };
      // The event also follows batches of aborted and control records, for which kafkajs calls no handler.
      consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { topic, partition, lastOffset } }) => {
        const name = `${topic}/${partition}`;
        if (Number(lastOffset) + 1 >= (missing.get(name) ?? 0)) missing.delete(name);
        if (missing.size === 0) done();
      });
      consumer.run({ autoCommit: false, partitionsConsumedConcurrently: 4, eachBatch }).catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
  return TOPICS.map((topic) => ({
    topic,
    partitions: bounds.get(topic) ?? [],
    records: (records.get(topic) ?? []).sort((a, b) => a.partition - b.partition || a.offset - b.offset),
  }));
}

/** Merges records read earlier: retention may have deleted them since, or another record may have the offset. */
export function mergeTopics(earlier: readonly TopicContents[], now: readonly TopicContents[]): TopicContents[] {
  return now.map(({ topic, partitions, records }) => {
    const known = new Set(records.map(placeAndTime));
    const gone = earlier
      .filter((each) => each.topic === topic)
      .flatMap((each) => each.records)
      .filter((record) => !known.has(placeAndTime(record)));
    const all = [...gone, ...records].sort((a, b) => a.partition - b.partition || a.offset - b.offset);
    return { topic, partitions, records: all };
  });
}

function placeAndTime({ partition, offset, timestamp }: TopicRecord): string {
  return `${partition}/${offset}/${timestamp}`;
}

async function allBounds(kafka: Kafka): Promise<Map<string, Bounds[]>> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const lists = await Promise.all(
      TOPICS.map(async (topic) => {
        const offsets = await admin.fetchTopicOffsets(topic);
        const list = offsets.map(({ partition, low, high }) => ({ partition, start: Number(low), end: Number(high) }));
        return [topic, list] as const;
      }),
    );
    return new Map(lists);
  } finally {
    await admin.disconnect();
  }
}

function read(
  topic: string,
  partition: number,
  { offset, timestamp, key, value, headers = {} }: KafkaMessage,
): TopicRecord {
  const bytes = Object.fromEntries(
    Object.entries(headers).map(([name, text]) => [
      name,
      Buffer.from((Array.isArray(text) ? text.at(-1) : text) ?? ''),
    ]),
  );
  const dead = readDeadLetter(bytes);
  return {
    partition,
    offset: Number(offset),
    timestamp: Number(timestamp),
    key: key?.toString(),
    eventId: topic === INGEST_TOPIC ? eventIdOf(value, bytes) : undefined,
    delivery: decodeDelivery(bytes[DELIVERY_HEADER]),
    attempt: topic === ATTEMPTS_TOPIC ? attemptOf(value) : undefined,
    dead: dead && { reason: dead.reason, source: dead.source },
    breaker: topic === ENDPOINTS_TOPIC ? endpointRecordSchema.safeParse(parse(value)).data?.breaker : undefined,
  };
}

function eventIdOf(value: Buffer | null, headers: Readonly<Record<string, Buffer>>): string | undefined {
  const parsed = parseEventRecord({ value, headers }, MAX_EVENT_BYTES);
  return parsed.ok ? parsed.event.id : undefined;
}

function attemptOf(value: Buffer | null): AttemptRecord | undefined {
  const decoded = decodeAttempt(value);
  return 'problem' in decoded ? undefined : decoded;
}

function parse(value: Buffer | null): unknown {
  try {
    return JSON.parse(value?.toString() ?? 'null');
  } catch {
    return undefined;
  }
}
