import { DEFAULT_TENANT } from '#common/domain/identifiers.js';
import { partitionOf } from '#common/kafka/port/partitioner.js';
import {
  DEAD_HEADERS,
  hasDeadLetterHeaders,
  readDeadLetter,
  withoutDeadLetterHeaders,
} from '#common/records/dead-letter-record.js';
import { DELIVERY_HEADER, decodeDelivery } from '#common/records/delivery-record.js';
import { type IdentifiedEvent, parseEventRecord } from '#common/records/event-record.js';
import type { FieldError } from '#common/records/field-errors.js';
import { GROWTH_BYTES, recordBytes } from '#common/records/limits.js';
import { receiveDelivery } from '#common/records/received-delivery.js';
import type { InRecord, OutRecord } from '#common/records/record.js';
import { DELIVERIES_TOPIC, INGEST_TOPIC } from '#common/records/topics.js';

export interface EventReading {
  readonly kind: 'event';
  readonly event: IdentifiedEvent;
  readonly tenant: string;
}

/** The kind of a record of `ingest`. */
export type Reading =
  | EventReading
  /** A dead letter of a delivery, to be delivered again. */
  | { readonly kind: 'replay'; readonly out: OutRecord }
  /** An event on another partition than its key belongs to; `out` is its record for the right one. */
  | { readonly kind: 'misplaced'; readonly out: OutRecord }
  | { readonly kind: 'poison'; readonly detail: string };

export interface ReadingLimits {
  /** Number of partitions of `ingest`. */
  readonly partitions: number;
  readonly maxEventBytes: number;
  /** Largest record batch of the topics, in bytes. */
  readonly maxBatchBytes: number;
}

/** Classifies one record of `ingest`; pure. */
export function readRecord(record: InRecord, limits: ReadingLimits): Reading {
  if (record.oversized !== undefined) return { kind: 'poison', detail: record.oversized };
  if (!hasDeadLetterHeaders(record.headers)) return readEvent(record, limits);
  const letter = readDeadLetter(record.headers);
  if (letter === undefined) return { kind: 'poison', detail: `${DEAD_HEADERS.reason} is not a known reason` };
  const { headers } = record;
  if (decodeDelivery(headers[DELIVERY_HEADER]) !== undefined) return readReplay(record, limits);
  // A poison record of `ingest` never became a delivery. Its dead letter is read as an event again.
  if (letter.reason === 'payload_error') {
    return readEvent({ ...record, headers: withoutDeadLetterHeaders(headers) }, limits);
  }
  return { kind: 'poison', detail: `the ${DELIVERY_HEADER} header of the dead letter is missing or malformed` };
}

function readReplay(record: InRecord, { maxBatchBytes }: ReadingLimits): Reading {
  const delivery = receiveDelivery(record, maxBatchBytes);
  if (typeof delivery === 'string') return { kind: 'poison', detail: delivery };
  const { key, value } = delivery;
  return { kind: 'replay', out: { topic: DELIVERIES_TOPIC, key, value, headers: record.headers } };
}

function readEvent(record: InRecord, { partitions, maxEventBytes, maxBatchBytes }: ReadingLimits): Reading {
  // A misplaced record is written again, with more headers. It must fit into a batch then.
  const bytes = recordBytes(record);
  if (bytes + GROWTH_BYTES > maxBatchBytes) return { kind: 'poison', detail: `the record has ${bytes} bytes` };
  const parsed = parseEventRecord(record, maxEventBytes);
  if (!parsed.ok) return { kind: 'poison', detail: detailOf(parsed.errors) };
  const { event } = parsed;
  const { value, headers } = record;
  // A record without a key takes its resource as the key: events keep their order only within one partition.
  const key = record.key?.length ? record.key : event.resourceId;
  if (key !== undefined && partitionOf(key, partitions) !== record.partition) {
    return { kind: 'misplaced', out: { topic: INGEST_TOPIC, key, value, headers } };
  }
  return { kind: 'event', event, tenant: event.tenant ?? DEFAULT_TENANT };
}

function detailOf(errors: readonly FieldError[]): string {
  return errors.map(({ field, message }) => `${field}: ${message}`).join('; ');
}
