import { DEFAULT_TENANT } from '#common/domain/identifiers.js';
import type { FieldError } from '#common/http/problem.js';
import { partitionOf } from '#common/kafka/partitioner.js';
import type { InRecord, OutRecord } from '#common/kafka/record.js';
import {
  DEAD_HEADERS,
  hasDeadLetterHeaders,
  readDeadLetter,
  withoutDeadLetterHeaders,
} from '#common/records/dead-letter-record.js';
import { DELIVERY_HEADER, decodeDelivery } from '#common/records/delivery-record.js';
import { type IdentifiedEvent, parseEventRecord } from '#common/records/event-record.js';
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
}

/** Judges one record; pure. */
export function readRecord(record: InRecord, limits: ReadingLimits): Reading {
  if (record.oversized !== undefined) return { kind: 'poison', detail: record.oversized };
  if (!hasDeadLetterHeaders(record.headers)) return readEvent(record, limits);
  const letter = readDeadLetter(record.headers);
  if (letter === undefined) return { kind: 'poison', detail: `${DEAD_HEADERS.reason} is not a known reason` };
  const { key, value, headers } = record;
  if (decodeDelivery(headers[DELIVERY_HEADER]) !== undefined) {
    if (key === null || key.length === 0) return { kind: 'poison', detail: 'the dead letter has no key' };
    if (value === null) return { kind: 'poison', detail: 'the dead letter has no value' };
    return { kind: 'replay', out: { topic: DELIVERIES_TOPIC, key, value, headers } };
  }
  // What was set aside here before anybody knew it as a delivery is an event again, and has another try.
  if (letter.reason === 'payload_error') {
    return readEvent({ ...record, headers: withoutDeadLetterHeaders(headers) }, limits);
  }
  return { kind: 'poison', detail: `the ${DELIVERY_HEADER} header of the dead letter is missing or malformed` };
}

function readEvent(record: InRecord, { partitions, maxEventBytes }: ReadingLimits): Reading {
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
