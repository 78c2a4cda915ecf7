import type { InRecord } from '#common/records/record.js';

/** A record that any Kafka client might write. */
export interface StrangeRecord {
  readonly topic: string;
  /** Description: the original record and its changes. */
  readonly name: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Headers; a list is a repeated header. */
  readonly headers: Readonly<Record<string, Buffer | null | readonly (Buffer | null)[]>>;
}

/** Converts to the record that an app reads. */
export function asRead({ topic, key, value, headers }: StrangeRecord, offset: number): InRecord {
  const read: Record<string, Buffer> = Object.create(null);
  for (const [name, given] of Object.entries(headers)) {
    const last = Array.isArray(given) ? given.at(-1) : given;
    read[name] = Buffer.isBuffer(last) ? last : Buffer.alloc(0);
  }
  return { topic, partition: 0, offset, timestamp: 1_790_000_000_000, key, value, headers: read };
}
