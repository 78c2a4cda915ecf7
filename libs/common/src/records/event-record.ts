import { named } from '../collections/named.js';
import { CLOUD_EVENT_TYPE, KAFKA_PREFIX, mediaTypeOf, parseBinary, parseStructured } from './cloud-event.js';
import { decodeUtf8, invalid, type ParsedEvent, type ProducedEvent, parseEvent } from './event.js';
import type { FieldError } from './field-errors.js';
import { WHOLE_BODY } from './field-errors.js';

/**
 * Marks a record of `ingest` that the HTTP API wrote, which has counted and measured it already. The id and the tenant
 * it adds must not make an event too large that was not.
 */
export const DOOR_HEADER = 'posthorn-door';
export const HTTP_DOOR = 'http';

/** Most bytes the API adds to an event's body: id, tenant, and attributes that came as headers. */
export const ENVELOPE_BYTES = 4_096;

/** An event that can be fanned out. Over Kafka the producer must give the id. */
export type IdentifiedEvent = ProducedEvent & { readonly id: string };

/** An event that Kafka acknowledged, with its position in `ingest`. */
export interface AcceptedEvent extends IdentifiedEvent {
  readonly tenant: string;
  readonly occurredAt: string;
  /** Timestamp of its record, ms since the epoch: the same after a redelivery. */
  readonly acceptedAt: number;
  /** Partition of its record in `ingest`. */
  readonly partition: number;
  /** Position of its record: greater than every position of an earlier generation of `ingest`. */
  readonly position: number;
}

export type ParsedRecord =
  | { readonly ok: true; readonly event: IdentifiedEvent }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

interface EventRecord {
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer>>;
}

/**
 * Reads a record of `ingest`: a native envelope, or CloudEvents in binary (`ce_*` headers) or structured mode
 * (`content-type: application/cloudevents+json`).
 */
export function parseEventRecord({ value, headers }: EventRecord, maxEventBytes: number): ParsedRecord {
  if (value === null) return invalid([{ field: WHOLE_BODY, message: 'is missing: the record has no value' }]);
  const isFromApi = headers[DOOR_HEADER]?.toString() === HTTP_DOOR;
  const limit = isFromApi ? maxEventBytes + ENVELOPE_BYTES : maxEventBytes;
  if (value.length > limit) return tooLarge(value.length, maxEventBytes);
  const parsed = parseFormat(value, headers);
  if (!parsed.ok) return parsed;
  const { event } = parsed;
  const { id, rawData } = event;
  // Data that is not JSON grows when it becomes a JSON string.
  if (Buffer.byteLength(rawData) > limit) return tooLarge(Buffer.byteLength(rawData), maxEventBytes);
  return id === undefined ? invalid([{ field: 'id', message: 'is required' }]) : { ok: true, event: { ...event, id } };
}

function tooLarge(bytes: number, limit: number): ParsedRecord {
  return invalid([{ field: WHOLE_BODY, message: `has ${bytes} bytes; at most ${limit} are taken` }]);
}

function parseFormat(value: Buffer, headers: EventRecord['headers']): ParsedEvent {
  const contentType = headers['content-type']?.toString();
  const mediaType = mediaTypeOf(contentType);
  if (mediaType === CLOUD_EVENT_TYPE) return parseStructured(value);
  if (mediaType?.startsWith('application/cloudevents')) {
    return invalid([{ field: 'content-type', message: `must be ${CLOUD_EVENT_TYPE}, or that of the data` }]);
  }
  const attributes = kafkaAttributes(headers);
  if (attributes === undefined) return parseEvent(value);
  return attributes.ok ? parseBinary(attributes.values, KAFKA_PREFIX, contentType, value) : attributes;
}

type Attributes =
  | { readonly ok: true; readonly values: Record<string, string> }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

/** @returns undefined when the record carries no CloudEvents attributes */
function kafkaAttributes(headers: EventRecord['headers']): Attributes | undefined {
  const values = named<string>();
  const errors: FieldError[] = [];
  for (const name in headers) {
    if (!name.startsWith(KAFKA_PREFIX)) continue;
    const text = decodeUtf8(headers[name] ?? Buffer.alloc(0));
    if (text === undefined) errors.push({ field: name, message: 'is not valid UTF-8' });
    else values[name.slice(KAFKA_PREFIX.length)] = text;
  }
  if (errors.length > 0) return invalid(errors);
  return Object.keys(values).length === 0 ? undefined : { ok: true, values };
}
