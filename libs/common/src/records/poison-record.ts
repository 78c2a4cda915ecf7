import { deadLetterHeaders } from './dead-letter-record.js';
import { recordBytes } from './limits.js';
import type { InRecord, OutRecord } from './record.js';
import { DLQ_TOPIC } from './topics.js';

const MAX_DETAIL_LENGTH = 1_000;
/** Framing of a batch and a record, and the headers of a dead letter. */
const OVERHEAD_BYTES = 4_096;
const MAX_KEY_BYTES = 1_024;

/**
 * A record that cannot be understood, set aside in `dlq` with its original bytes, key and headers.
 *
 * A record that came compressed may be larger than a batch may be. It is cut, so that it does not stop its partition. The
 * detail says so, and `posthorn-dead-source` names the whole record.
 *
 * @param detail the reason, for operators
 * @param nowMs ms since the epoch
 * @param maxBytes largest batch that `dlq` takes
 */
export function poisonRecord(record: InRecord, detail: string, nowMs: number, maxBytes: number): OutRecord {
  const bytes = recordBytes(record) + OVERHEAD_BYTES;
  const isWhole = bytes <= maxBytes;
  const note = isWhole ? '' : ` (cut: the record has ${bytes} bytes)`;
  const dead = deadLetterHeaders({
    reason: 'payload_error',
    at: nowMs,
    detail: detail.slice(0, MAX_DETAIL_LENGTH) + note,
    lastStatus: undefined,
    lastError: undefined,
    source: `${record.topic}/${record.partition}/${record.offset}`,
  });
  if (isWhole)
    return { topic: DLQ_TOPIC, key: record.key, value: record.value, headers: { ...record.headers, ...dead } };
  return {
    topic: DLQ_TOPIC,
    key: record.key?.subarray(0, MAX_KEY_BYTES) ?? null,
    value: record.value?.subarray(0, maxBytes - OVERHEAD_BYTES - MAX_KEY_BYTES) ?? null,
    headers: dead,
  };
}
