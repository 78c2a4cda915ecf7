import { setTimeout as delay } from 'node:timers/promises';
import type { IHeaders, Producer } from 'kafkajs';
import type { StrangeRecord } from './strange-record.js';

/** Most records and bytes of one produce; every topic takes a batch of this size. */
const MAX_RECORDS = 100;
const MAX_BYTES = 800_000;
const PAUSE_MS = 20;

/**
 * Writes strange records as a Kafka client does, those of all topics mixed, a few at a time.
 *
 * @param producer of scripts/lib/kafka-client.mjs: keys are partitioned by murmur2
 * @returns how many were written
 */
export async function writeStrangeRecords(producer: Producer, records: readonly StrangeRecord[]): Promise<number> {
  for (const portion of portions(records)) {
    const byTopic = [...Map.groupBy(portion, ({ topic }) => topic)];
    const topicMessages = byTopic.map(([topic, ofOne]) => ({ topic, messages: ofOne.map(messageOf) }));
    await producer.sendBatch({ acks: -1, topicMessages });
    await delay(PAUSE_MS);
  }
  return records.length;
}

function messageOf({ key, value, headers }: StrangeRecord) {
  // kafkajs writes a header without value as such; its types do not say so.
  return { key, value, headers: headers as IHeaders };
}

function portions(records: readonly StrangeRecord[]): StrangeRecord[][] {
  const all: StrangeRecord[][] = [];
  let bytes = 0;
  for (const record of records) {
    const size = (record.value?.length ?? 0) + (record.key?.length ?? 0) + 4_000;
    const current = all.at(-1);
    if (current === undefined || current.length === MAX_RECORDS || bytes + size > MAX_BYTES) {
      all.push([record]);
      bytes = size;
    } else {
      current.push(record);
      bytes += size;
    }
  }
  return all;
}
