import { z } from 'zod';
import { contentEventId, EVENT_ID_PATTERN, EVENT_ID_RULE, TENANT_PATTERN } from '../domain/identifiers.js';
import { parseRfc3339 } from '../domain/rfc3339.js';
import { EVENT_TYPE_PATTERN } from '../domain/subscription.js';
import type { FieldError } from './field-errors.js';
import { fieldErrors, WHOLE_BODY, wording } from './field-errors.js';
import { checkDocument, type ScannedValue, scanValue, type Take, textOf, valueForSchema } from './json-document.js';
import { memberSpan } from './raw-json.js';

/** An event as a producer sent it, by either door and in any of the formats. */
export interface ProducedEvent {
  readonly id: string | undefined;
  readonly type: string;
  readonly tenant: string | undefined;
  /** The ordering key. */
  readonly resourceId: string | undefined;
  /** RFC 3339, as written. */
  readonly occurredAt: string | undefined;
  /** JSON text, to the letter as the producer wrote it. */
  readonly rawData: string;
}

export type ParsedEvent =
  | { readonly ok: true; readonly event: ProducedEvent }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

export type ParsedJson =
  | { readonly ok: true; readonly value: unknown; readonly text: string }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

const MAX_NAME_LENGTH = 256;
const MAX_TIME_LENGTH = 64;
/** A resource id is part of a record's key, and of a lane's name; lone surrogates would not survive UTF-8. */
const RESOURCE_ID_PATTERN = /^[^\p{Cc}\p{Cs}]+$/u;

export const eventIdField = z
  .string()
  .regex(EVENT_ID_PATTERN, `must be ${EVENT_ID_RULE}`)
  .describe('Unique within the tenant for 7 days; a second event with the same id is dropped.');

export const eventTypeField = z
  .string()
  .max(MAX_NAME_LENGTH, `must have at most ${MAX_NAME_LENGTH} characters`)
  .regex(EVENT_TYPE_PATTERN, 'must be names of letters, digits, "_" and "-", separated by dots')
  .describe('What happened, e.g. `invoice.paid`.');

export const tenantField = z
  .string()
  .regex(TENANT_PATTERN, 'must be 1 to 64 letters, digits, ".", "_" or "-"')
  .describe("Whose endpoints get the event. The API key's own tenant if it has one, else `default`.");

export const resourceIdField = z
  .string()
  .max(MAX_NAME_LENGTH, `must have at most ${MAX_NAME_LENGTH} characters`)
  .regex(RESOURCE_ID_PATTERN, 'must have at least one character, and no control characters')
  .describe('What it happened to. Events of one resource are delivered in order.');

export const occurredAtField = z
  .string()
  .max(MAX_TIME_LENGTH, `must have at most ${MAX_TIME_LENGTH} characters`)
  .refine((text) => parseRfc3339(text) !== undefined, 'must be an RFC 3339 date-time, e.g. 2026-01-31T09:30:00Z')
  .meta({ format: 'date-time', description: 'When it happened; when Posthorn took it, if left out.' });

/** The native envelope. Validation, the type and OpenAPI all come from here. */
export const eventSchema = z.strictObject({
  id: eventIdField.optional(),
  id_from: z
    .literal('content')
    .optional()
    .describe('Instead of `id`: the id is the SHA-256 of `type:resource_id:occurred_at`, hex.'),
  type: eventTypeField,
  tenant: tenantField.optional(),
  resource_id: resourceIdField.optional(),
  occurred_at: occurredAtField.optional(),
  data: z.unknown().describe('Any JSON value; endpoints get its text exactly as it was sent.'),
});

export const EVENT_MEMBERS = Object.keys(eventSchema.shape);
/** Members an object may have before those that no event has are left out. */
const MANY_MEMBERS = 64;
/** At most this many left-out names are shown to the producer. */
const MAX_UNKNOWN = 10;

/** A schema takes several times as long for a member as `JSON.parse` does: a producer may send some 30 000 of them. */
export function fewMembers(value: unknown, known: readonly string[]): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const names = Object.keys(value);
  if (names.length <= MANY_MEMBERS) return value;
  const unknown = names.slice(0, known.length + MAX_UNKNOWN).filter((name) => !known.includes(name));
  const members = value as Readonly<Record<string, unknown>>;
  const kept = [...known, ...unknown.slice(0, MAX_UNKNOWN)].filter((name) => Object.hasOwn(members, name));
  return Object.fromEntries(kept.map((name) => [name, members[name]]));
}

/**
 * Documents of at least this many bytes are scanned, not parsed. At 400 bytes of ordinary data both take 5 µs, at 1 KB parsing
 * takes 10 µs and scanning 8 µs, at 16 KB 215 and 92 (measured on a busy machine).
 */
export const SCAN_BYTES = 1_024;

/**
 * Reads a native envelope: `{"id"?, "type", "tenant"?, "resource_id"?, "occurred_at"?, "data"}`.
 *
 * @param scanBytes size from which the text is scanned, not parsed; the result is the same
 */
export function parseEvent(bytes: Uint8Array, scanBytes = SCAN_BYTES): ParsedEvent {
  if (bytes.length >= scanBytes) return scanEvent(bytes, EVENT_MEMBERS, scannedNativeEvent);
  const json = parseJson(bytes);
  return json.ok ? nativeEvent(json.value, json.text) : json;
}

/** Reads a document that is one event. @param known names of the members that `read` asks for */
export function scanEvent(
  bytes: Uint8Array,
  known: readonly string[],
  read: (bytes: Uint8Array, scanned: ScannedValue) => ParsedEvent,
): ParsedEvent {
  let scanned: ScannedValue | undefined;
  const errors = jsonErrors(bytes, (text, at) => {
    scanned = scanValue(text, at, known);
    return scanned.end;
  });
  return scanned === undefined || errors.length > 0 ? invalid(errors) : read(bytes, scanned);
}

/**
 * @param value the event, parsed by `JSON.parse`
 * @param text where the event's JSON text is, from `at` on
 */
export function nativeEvent(value: unknown, text: string, at = 0): ParsedEvent {
  const result = checkEvent(value);
  if (!result.success) return invalid(fieldErrors(result.error.issues));
  const span = memberSpan(text, at, 'data');
  return withData(result.data, span && text.slice(span.start, span.end));
}

/** @param scanned with the spans of `EVENT_MEMBERS` */
export function scannedNativeEvent(bytes: Uint8Array, scanned: ScannedValue): ParsedEvent {
  const result = checkEvent(valueForSchema(bytes, scanned, 'data'));
  if (!result.success) return invalid(fieldErrors(result.error.issues));
  const span = scanned.members.get('data');
  return withData(result.data, span && textOf(bytes, span));
}

function checkEvent(value: unknown) {
  return eventSchema.safeParse(fewMembers(value, EVENT_MEMBERS), { error: wording });
}

function withData(fields: z.infer<typeof eventSchema>, rawData: string | undefined): ParsedEvent {
  const { id, id_from, type, tenant, resource_id: resourceId, occurred_at: occurredAt } = fields;
  if (rawData === undefined) return invalid([{ field: 'data', message: 'is required' }]);
  const event = { id, type, tenant, resourceId, occurredAt, rawData };
  return id_from === undefined ? { ok: true, event } : withContentId(event);
}

/** The native envelope as it is stored in `ingest`. `data` is not read again, only put in place. */
export function encodeEvent(event: ProducedEvent & { readonly id: string; readonly tenant: string }): string {
  const resource = event.resourceId === undefined ? '' : `,"resource_id":${JSON.stringify(event.resourceId)}`;
  const occurred = event.occurredAt === undefined ? '' : `,"occurred_at":"${event.occurredAt}"`;
  return (
    `{"id":${JSON.stringify(event.id)},"type":"${event.type}","tenant":"${event.tenant}"` +
    `${resource}${occurred},"data":${event.rawData}}`
  );
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A byte order mark is dropped; bytes that are not UTF-8 are refused, since they could not be passed on unchanged. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** V8 parses without recursion, so that no depth of nesting can overflow the stack. */
export function parseJson(bytes: Uint8Array): ParsedJson {
  const text = decodeUtf8(bytes);
  if (text === undefined) return invalid([{ field: WHOLE_BODY, message: 'is not valid UTF-8' }]);
  try {
    return { ok: true, value: JSON.parse(text), text };
  } catch (error) {
    return invalid([{ field: WHOLE_BODY, message: `is not JSON: ${error instanceof Error ? error.message : error}` }]);
  }
}

/**
 * Checks a document without making values of it.
 *
 * @param scan reads its one value, in a copy with an end, and returns the position behind it
 * @returns the errors of `parseJson`: none when the document is JSON
 */
export function jsonErrors(bytes: Uint8Array, scan: Take): readonly FieldError[] {
  const problem = checkDocument(bytes, scan);
  if (problem === undefined) return [];
  const message = problem === 'not UTF-8' ? 'is not valid UTF-8' : `is not JSON: ${problem.message}`;
  return [{ field: WHOLE_BODY, message }];
}

export function invalid(errors: readonly FieldError[]): { ok: false; errors: readonly FieldError[] } {
  return { ok: false, errors };
}

function withContentId(event: ProducedEvent): ParsedEvent {
  const { id, type, resourceId, occurredAt } = event;
  const errors: FieldError[] = [];
  if (id !== undefined) errors.push({ field: 'id_from', message: 'cannot be used together with id' });
  if (resourceId === undefined) errors.push({ field: 'resource_id', message: 'is required for id_from' });
  if (occurredAt === undefined) errors.push({ field: 'occurred_at', message: 'is required for id_from' });
  if (errors.length > 0 || resourceId === undefined || occurredAt === undefined) return invalid(errors);
  return { ok: true, event: { ...event, id: contentEventId({ type, resourceId, occurredAt }) } };
}
