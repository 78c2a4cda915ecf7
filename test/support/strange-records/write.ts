import { setTimeout as delay } from 'node:timers/promises';
import type { Kafka, Message } from 'kafkajs';
import { patchKafkajs } from '#common/kafka/kafkajs/patches/patch-kafkajs.js';
import { PartitionBatch } from '#common/kafka/kafkajs/wire/produce-request.js';
import { partitionOf } from '#common/kafka/port/partitioner.js';
import { keyedProducer } from '../../../scripts/lib/kafka-client.js';
import { portions } from '../../../scripts/lib/portions.js';
import type { StrangeRecord } from './strange-record.js';

/** Most records and bytes of one produce request; every topic accepts a batch of this size. */
const PORTION = { records: 20, bytes: 800_000, overhead: 4_000 };
/** Together 100 records per second. Other tests cover floods. */
const PAUSE_MS = 200;
const EMPTY = Buffer.alloc(0);

/**
 * Writes strange records of all topics, mixed, a few at a time.
 *
 * @param kafka client of scripts/lib/kafka-client.ts
 * @returns number of records written
 */
export async function writeStrangeRecords(kafka: Kafka, records: readonly StrangeRecord[]): Promise<number> {
  patchKafkajs();
  const producer = keyedProducer(kafka);
  await producer.connect();
  const partitions = await partitionsOfAll(kafka, [...new Set(records.map(({ topic }) => topic))]);
  for (const portion of portions(records, PORTION)) {
    const [repeating, others] = [portion.filter(hasRepeatedHeader), portion.filter((one) => !hasRepeatedHeader(one))];
    const batchesOf = (topic: string, ofOne: StrangeRecord[]) => batches(ofOne, partitions.get(topic) ?? 1);
    const requests = [byTopic(repeating, (_, ofOne) => ofOne.map(messageOf)), byTopic(others, batchesOf)];
    for (const topicMessages of requests) {
      if (topicMessages.length > 0) await producer.sendBatch({ acks: -1, topicMessages });
    }
    await delay(PAUSE_MS);
  }
  await producer.disconnect();
  return records.length;
}

function byTopic(records: readonly StrangeRecord[], messages: (topic: string, ofOne: StrangeRecord[]) => Message[]) {
  const topics = Map.groupBy(records, ({ topic }) => topic);
  return [...topics].map(([topic, ofOne]) => ({ topic, messages: messages(topic, ofOne) }));
}

function hasRepeatedHeader({ headers }: StrangeRecord): boolean {
  return Object.values(headers).some((given) => Array.isArray(given));
}

/** kafkajs rejects a null header, which therefore becomes an empty one. */
function messageOf({ key, value, headers }: StrangeRecord): Message {
  const filled = Object.entries(headers).map(([name, given]) => {
    const values = Array.isArray(given) ? given : [given];
    return [name, values.map((one) => one ?? EMPTY)] as const;
  });
  return { key, value, headers: Object.fromEntries(filled) };
}

async function partitionsOfAll(kafka: Kafka, topics: string[]): Promise<Map<string, number>> {
  const admin = kafka.admin();
  await admin.connect();
  const { topics: known } = await admin.fetchTopicMetadata({ topics });
  await admin.disconnect();
  return new Map(known.map(({ name, partitions }) => [name, partitions.length]));
}

/** Writes with the apps' encoder, which supports null headers. */
function batches(records: readonly StrangeRecord[], partitions: number): PartitionBatch[] {
  const byPartition = Map.groupBy(records, ({ key }) => (key === null ? 0 : partitionOf(key, partitions)));
  return [...byPartition].map(([partition, ofOne]) => {
    const batch = new PartitionBatch(partition);
    for (const { key, value, headers } of ofOne) batch.records.push({ key, value, headers: headers as never });
    return batch;
  });
}
