import type { KafkaMessage } from 'kafkajs';
import type { InRecord } from './record.js';

/** @param topic without prefix */
export function toRecord(topic: string, partition: number, message: KafkaMessage): InRecord {
  return {
    topic,
    partition,
    offset: Number(message.offset),
    timestamp: Number(message.timestamp),
    key: message.key,
    value: message.value,
    headers: plainHeaders(message.headers),
  };
}

/** kafkajs gives a repeated header as a list; the last one counts. */
function plainHeaders(headers: KafkaMessage['headers']): Record<string, Buffer> {
  const plain: Record<string, Buffer> = {};
  for (const name in headers) {
    const given = headers[name];
    const value = Array.isArray(given) ? given.at(-1) : given;
    if (value !== undefined) plain[name] = typeof value === 'string' ? Buffer.from(value) : value;
  }
  return plain;
}

/** The leader epoch of a fetched record's batch; undefined in the oldest record format. */
export function leaderEpochOf(message: KafkaMessage | undefined): number | undefined {
  const { batchContext } = (message ?? {}) as { batchContext?: { partitionLeaderEpoch?: number } };
  const epoch = batchContext?.partitionLeaderEpoch;
  return epoch === undefined || epoch < 0 ? undefined : epoch;
}
