import { z } from 'zod';
import { named } from '../collections/named.js';
import {
  decodeUtf8,
  eventIdField,
  eventTypeField,
  fewMembers,
  invalid,
  jsonErrors,
  occurredAtField,
  type ParsedEvent,
  parseJson,
  resourceIdField,
  SCAN_BYTES,
  scanEvent,
  tenantField,
} from './event.js';
import type { FieldError } from './field-errors.js';
import { fieldErrors, WHOLE_BODY, wording } from './field-errors.js';
import { type ScannedValue, textOf, valueForSchema } from './json-document.js';
import { endOfValue } from './json-scanner.js';
import { memberSpan } from './raw-json.js';

/** Media type of one event in CloudEvents' structured mode; `-batch+json` is a list of them. */
export const CLOUD_EVENT_TYPE = 'application/cloudevents+json';
export const CLOUD_EVENT_BATCH_TYPE = 'application/cloudevents-batch+json';

/** How a binding marks attributes that travel as headers. */
export const HTTP_PREFIX = 'ce-';
export const KAFKA_PREFIX = 'ce_';

/**
 * The CloudEvents 1.0 attributes that Posthorn uses. Others, and extensions, are allowed and not passed on. `partitionkey`
 * is the ordering key, so it ranks above `subject`. A null attribute counts as absent.
 */
export const cloudEventSchema = z.looseObject({
  specversion: z.literal('1.0', 'must be "1.0": other versions are not understood'),
  id: eventIdField,
  source: z.string().min(1, 'must not be empty'),
  type: eventTypeField,
  time: occurredAtField.nullish(),
  subject: z.string().nullish(),
  partitionkey: resourceIdField.nullish(),
  tenant: tenantField.nullish(),
  datacontenttype: z.string().nullish(),
});

export const structuredCloudEventSchema = cloudEventSchema.extend({
  data: z.unknown().optional(),
  data_base64: z.base64('must be base64').nullish(),
});

export const CLOUD_EVENT_MEMBERS = Object.keys(structuredCloudEventSchema.shape);

/**
 * Reads structured mode: attributes and data in one JSON object.
 *
 * @param scanBytes size from which the text is scanned, not parsed; the result is the same
 */
export function parseStructured(bytes: Uint8Array, scanBytes = SCAN_BYTES): ParsedEvent {
  if (bytes.length >= scanBytes) return scanEvent(bytes, CLOUD_EVENT_MEMBERS, scannedStructuredEvent);
  const json = parseJson(bytes);
  return json.ok ? structuredEvent(json.value, json.text) : json;
}

/**
 * @param value the event, parsed by `JSON.parse`
 * @param text where the event's JSON text is, from `at` on
 */
export function structuredEvent(value: unknown, text: string, at = 0): ParsedEvent {
  const result = checkStructured(value);
  if (!result.success) return invalid(fieldErrors(result.error.issues));
  const data = memberSpan(text, at, 'data');
  return withData(result.data, data && text.slice(data.start, data.end));
}

/** @param scanned with the spans of `CLOUD_EVENT_MEMBERS`; other members may have any name */
export function scannedStructuredEvent(bytes: Uint8Array, scanned: ScannedValue): ParsedEvent {
  const result = checkStructured(valueForSchema(bytes, { ...scanned, unknown: [] }, 'data'));
  if (!result.success) return invalid(fieldErrors(result.error.issues));
  const data = scanned.members.get('data');
  return withData(result.data, data && textOf(bytes, data));
}

function checkStructured(value: unknown) {
  return structuredCloudEventSchema.safeParse(fewMembers(value, CLOUD_EVENT_MEMBERS), { error: wording });
}

function withData(attributes: z.infer<typeof structuredCloudEventSchema>, rawData: string | undefined): ParsedEvent {
  const { data_base64: base64 } = attributes;
  if (typeof base64 !== 'string') return produced(attributes, rawData ?? 'null', '');
  if (rawData === undefined) return produced(attributes, JSON.stringify(base64), '');
  return invalid([{ field: 'data_base64', message: 'cannot be used together with data' }]);
}

/**
 * Reads binary mode: attributes in headers, data in the body.
 *
 * @param attributes by name, without the binding's prefix
 * @param prefix the binding's prefix, with which errors name the headers
 * @param contentType of the data; without one it is taken for JSON
 */
export function parseBinary(
  attributes: Readonly<Record<string, string>>,
  prefix: string,
  contentType: string | undefined,
  body: Uint8Array,
  scanBytes = SCAN_BYTES,
): ParsedEvent {
  const result = cloudEventSchema.safeParse(attributes, { error: wording });
  const errors = result.success ? [] : fieldErrors(result.error.issues);
  const data = rawDataOf(body, contentType, scanBytes);
  if (!data.ok) return invalid([...prefixed(errors, prefix), ...data.errors]);
  return result.success ? produced(result.data, data.rawData, prefix) : invalid(prefixed(errors, prefix));
}

/** Attributes of a request in binary mode, or undefined when it carries none. Never throws: malformed attributes stay as they are. */
export function httpAttributes(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string> | undefined {
  let found: Record<string, string> | undefined;
  for (const name in headers) {
    if (!name.startsWith(HTTP_PREFIX)) continue;
    found ??= named<string>();
    found[name.slice(HTTP_PREFIX.length)] = decodeHeader(String(headers[name]));
  }
  return found;
}

/** The media type of a content-type header, lower-case and without parameters. */
export function mediaTypeOf(contentType: string | undefined): string | undefined {
  return contentType?.split(';', 1)[0]?.trim().toLowerCase();
}

function produced(attributes: z.infer<typeof cloudEventSchema>, rawData: string, prefix: string): ParsedEvent {
  const { id, type, tenant, time, partitionkey, subject } = attributes;
  const resourceId = partitionkey ?? subject ?? undefined;
  const checked = resourceIdField.optional().safeParse(resourceId);
  if (!checked.success) {
    return invalid(checked.error.issues.map(({ message }) => ({ field: `${prefix}subject`, message })));
  }
  const occurredAt = time ?? undefined;
  return { ok: true, event: { id, type, tenant: tenant ?? undefined, resourceId, occurredAt, rawData } };
}

type RawData =
  | { readonly ok: true; readonly rawData: string }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

/** JSON stays as it is; text becomes a JSON string, anything else a JSON string of base64. */
function rawDataOf(body: Uint8Array, contentType: string | undefined, scanBytes: number): RawData {
  if (body.length === 0) return { ok: true, rawData: 'null' };
  const mediaType = mediaTypeOf(contentType) ?? 'application/json';
  if (/^(application|text)\/json$|\+json$/.test(mediaType)) {
    return rawJsonOf(body, scanBytes);
  }
  if (!/^text\/|^application\/xml$|\+xml$/.test(mediaType)) {
    return { ok: true, rawData: JSON.stringify(Buffer.from(body).toString('base64')) };
  }
  const text = decodeUtf8(body);
  if (text === undefined) return invalid([{ field: WHOLE_BODY, message: 'is not valid UTF-8' }]);
  return { ok: true, rawData: JSON.stringify(text) };
}

function rawJsonOf(body: Uint8Array, scanBytes: number): RawData {
  if (body.length < scanBytes) {
    const json = parseJson(body);
    return json.ok ? { ok: true, rawData: json.text.trim() } : json;
  }
  const errors = jsonErrors(body, endOfValue);
  return errors.length > 0 ? invalid(errors) : { ok: true, rawData: (decodeUtf8(body) ?? '').trim() };
}

/** CloudEvents' HTTP binding, 3.1.3.2: quotes are taken off, then percent-encoded UTF-8 is decoded once. */
function decodeHeader(value: string): string {
  const bare = /^".*"$/s.test(value) ? value.slice(1, -1).replaceAll(/\\(.)/gs, '$1') : value;
  if (!bare.includes('%')) return bare;
  try {
    return decodeURIComponent(bare);
  } catch {
    return bare;
  }
}

function prefixed(errors: readonly FieldError[], prefix: string): FieldError[] {
  return errors.map(({ field, message }) => ({ field: prefix + field, message }));
}
