import { isUtf8 } from 'node:buffer';
import { isLaneOf } from '../domain/lane.js';
import { DELIVERY_HEADER, type DeliveryMeta, decodeDelivery } from './delivery-record.js';
import { GROWTH_BYTES, MAX_COUNT, MAX_LANE_BYTES, recordBytes } from './limits.js';
import type { InRecord } from './record.js';

/** A record of `deliveries`, of a tier, or a dead letter put into `ingest`, that holds a delivery. */
export interface ReceivedDelivery {
  readonly key: Buffer;
  /** The key as text. */
  readonly lane: string;
  readonly meta: DeliveryMeta;
  /** The exact bytes to POST. */
  readonly value: Buffer;
}

/**
 * The one check of a delivery's record. A record that passes can be attempted, stored in PostgreSQL, and written to every
 * topic of deliveries.
 *
 * @param maxBatchBytes largest record batch the topics take
 * @returns the delivery, or the reason why the record holds none, for operators
 */
export function receiveDelivery(record: InRecord, maxBatchBytes: number): ReceivedDelivery | string {
  const { key, value, headers, oversized } = record;
  if (oversized !== undefined) return oversized;
  if (key === null || key.length === 0) return 'the record has no key';
  if (value === null) return 'the record has no value';
  const meta = decodeDelivery(headers[DELIVERY_HEADER]);
  if (meta === undefined) return `the ${DELIVERY_HEADER} header is missing or malformed`;
  // The next attempt, or replay, counts one more, and its records must be read again.
  if (meta.attempt >= MAX_COUNT || meta.replay >= MAX_COUNT) return `it has had ${MAX_COUNT} attempts or replays`;
  const lane = readLane(key);
  if (lane === undefined) return `the key is not text of at most ${MAX_LANE_BYTES} bytes without control characters`;
  if (!isLaneOf(lane, meta)) return `the key is not a lane of the delivery in the ${DELIVERY_HEADER} header`;
  const bytes = recordBytes(record);
  if (bytes + GROWTH_BYTES > maxBatchBytes)
    return `the record has ${bytes} bytes: a retry or dead letter would not fit`;
  return { key, lane, meta, value };
}

const PLAIN = /^[\x20-\x7e]+$/;
const CONTROL = /\p{Cc}/u;

/**
 * A lane is written again as text. Bytes that are not UTF-8 would come out as others, and lie on another partition: such a
 * record would be moved from partition to partition without end.
 */
function readLane(key: Buffer): string | undefined {
  if (key.length > MAX_LANE_BYTES) return undefined;
  const lane = key.toString();
  if (PLAIN.test(lane)) return lane;
  return isUtf8(key) && !CONTROL.test(lane) ? lane : undefined;
}
