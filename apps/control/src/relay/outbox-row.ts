import { type KafkaSettings, maxBatchBytesOf } from '#common/kafka/port/settings.js';
import { recordBytes } from '#common/records/limits.js';
import type { OutRecord } from '#common/records/record.js';
import { readHeaders } from '#common/records/stored-headers.js';

/** A row of `outbox`. */
export interface OutboxRow {
  readonly seq: number;
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Any JSON value; see records/stored-headers.ts. */
  readonly headers: unknown;
}

/** Header of a batch (61), and lengths, attributes and deltas of its one record; generous. */
const BATCH_FRAMING_BYTES = 128;

/**
 * An error of the row, unlike one of the broker, is there before anything is sent, and repeats with every write.
 *
 * @returns the record of the row; or why Kafka can never take it, for people
 */
export function recordOf(row: OutboxRow, settings: Pick<KafkaSettings, 'topics'>): OutRecord | string {
  const { topic, key, value } = row;
  const maxBytes = maxBatchBytesOf(settings, topic);
  if (maxBytes === undefined) return `there is no topic ${topic}`;
  const headers = readHeaders(row.headers);
  if (headers === undefined) return 'its headers are malformed';
  const record = { topic, key, value, headers };
  const bytes = recordBytes(record) + BATCH_FRAMING_BYTES;
  return bytes > maxBytes ? `it has ${bytes} bytes, and ${topic} takes ${maxBytes}` : record;
}
