import type { InRecord } from '#common/records/record.js';

/** A record that any Kafka client might write. */
export interface StrangeRecord {
  readonly topic: string;
  /** What it was made from, and how it was changed, for people. */
  readonly name: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Own properties only; a list is a header that comes several times. */
  readonly headers: Readonly<Record<string, Buffer | null | readonly (Buffer | null)[]>>;
}

/** The record as an app reads it. */
export function asRead({ topic, key, value, headers }: StrangeRecord, offset: number): InRecord {
  const read: Record<string, Buffer> = Object.create(null);
  for (const [name, given] of Object.entries(headers)) {
    const last = Array.isArray(given) ? given.at(-1) : given;
    read[name] = Buffer.isBuffer(last) ? last : Buffer.alloc(0);
  }
  return { topic, partition: 0, offset, timestamp: 1_790_000_000_000, key, value, headers: read };
}
