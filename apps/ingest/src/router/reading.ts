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

/** What a record of `ingest` turns out to be. */
export type Reading =
  | EventReading
  /** A dead letter that goes to its own endpoint again. */
  | { readonly kind: 'replay'; readonly out: OutRecord }
  /** An event that lies on another partition than those of its key. */
  | { readonly kind: 'misplaced'; readonly out: OutRecord }
  | { readonly kind: 'poison'; readonly detail: string };

export interface ReadingLimits {
  /** How many partitions `ingest` has. */
  readonly partitions: number;
  readonly maxEventBytes: number;
  /** Largest record batch the topics take. */
  readonly maxBatchBytes: number;
}

/** Judges one record; pure. */
export function readRecord(record: InRecord, limits: ReadingLimits): Reading {
  if (record.oversized !== undefined) return { kind: 'poison', detail: record.oversized };
  if (!hasDeadLetterHeaders(record.headers)) return readEvent(record, limits);
  const letter = readDeadLetter(record.headers);
  if (letter === undefined) return { kind: 'poison', detail: `${DEAD_HEADERS.reason} is not a known reason` };
  const { headers } = record;
  if (decodeDelivery(headers[DELIVERY_HEADER]) !== undefined) return readReplay(record, limits);
  // What was set aside here before anybody knew it as a delivery is an event again, and has another try.
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
  // What lies on the wrong partition is written again: that must never be too large.
  const bytes = recordBytes(record);
  if (bytes + GROWTH_BYTES > maxBatchBytes) return { kind: 'poison', detail: `the record has ${bytes} bytes` };
  const parsed = parseEventRecord(record, maxEventBytes);
  if (!parsed.ok) return { kind: 'poison', detail: detailOf(parsed.errors) };
  const { event } = parsed;
  const { value, headers } = record;
  // Without a key the resource is one: only on one partition do a resource's events have an order.
  const key = record.key?.length ? record.key : event.resourceId;
  if (key !== undefined && partitionOf(key, partitions) !== record.partition) {
    return { kind: 'misplaced', out: { topic: INGEST_TOPIC, key, value, headers } };
  }
  return { kind: 'event', event, tenant: event.tenant ?? DEFAULT_TENANT };
}

function detailOf(errors: readonly FieldError[]): string {
  return errors.map(({ field, message }) => `${field}: ${message}`).join('; ');
}
