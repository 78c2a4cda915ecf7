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

/**
 * Names are outside input, so the map has no prototype: a header `__proto__` is a header like any other. kafkajs gives a
 * repeated header as a list; the last value counts. A null value becomes an empty one.
 */
function plainHeaders(headers: KafkaMessage['headers']): Record<string, Buffer> {
  const plain: Record<string, Buffer> = Object.create(null);
  for (const name in headers) {
    const given = headers[name];
    const value = Array.isArray(given) ? given.at(-1) : given;
    plain[name] = typeof value === 'string' ? Buffer.from(value) : (value ?? EMPTY);
  }
  return plain;
}

const EMPTY = Buffer.alloc(0);
