import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { DEFAULT_TENANT, EVENT_ID_PATTERN, EVENT_ID_RULE } from '#common/domain/identifiers.js';
import { ProblemError } from '#common/http/problem.js';
import { newId } from '#common/random/new-id.js';
import {
  CLOUD_EVENT_BATCH_TYPE,
  CLOUD_EVENT_TYPE,
  HTTP_PREFIX,
  httpAttributes,
  mediaTypeOf,
  parseBinary,
  parseStructured,
} from '#common/records/cloud-event.js';
import { type ParsedEvent, type ProducedEvent, parseEvent } from '#common/records/event.js';
import type { FieldError } from '#common/records/field-errors.js';
import { type TraceContext, traceContext } from '#common/records/trace-context.js';
import { CLOUD_EVENT_LIST, type ListFormat, listEvents, NATIVE_LIST } from './event-list.js';

/** An event with its id, tenant and trace: ready to be stored. */
export type AddressedEvent = ProducedEvent & {
  readonly id: string;
  readonly tenant: string;
  readonly trace: TraceContext;
};

export interface EventRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The bytes of the request, unparsed; undefined for a request without a body. */
  readonly body: Buffer | undefined;
}

export interface BatchLimits {
  /** Largest event of a batch, in bytes of JSON. */
  readonly maxEventBytes: number;
  readonly maxEvents: number;
}

const JSON_TYPE = 'application/json';
const EMPTY = Buffer.alloc(0);
/** Most errors in one problem: a batch of 1,000 malformed events must not cause a response of 1,000 entries. */
const MAX_ERRORS = 100;

/**
 * Reads the event of `POST /v1/events`: a native envelope, or CloudEvents in structured or binary mode.
 *
 * @throws ProblemError BODY_INVALID naming each bad field, FORBIDDEN, UNSUPPORTED_MEDIA_TYPE
 */
export function readEvent(request: EventRequest, caller: AuthenticatedKey): AddressedEvent {
  const key = idempotencyKeyOf(request);
  const parsed = parseOne(request);
  if (!parsed.ok) throw invalid('the event is not valid', parsed.errors);
  return addressed(parsed.event, { caller, key, trace: traceOf(request) });
}

/**
 * Reads the events of `POST /v1/events/batch`: a JSON array of native envelopes (or `{"events": [...]}`), or
 * CloudEvents' JSON batch. One malformed event rejects the whole batch.
 *
 * @throws ProblemError BODY_INVALID naming fields like `events[3].type`, BODY_TOO_LARGE, FORBIDDEN,
 * UNSUPPORTED_MEDIA_TYPE
 */
export function readBatch(request: EventRequest, caller: AuthenticatedKey, limits: BatchLimits): AddressedEvent[] {
  const format = listFormat(mediaTypeOf(header(request, 'content-type')));
  if (idempotencyKeyOf(request) !== undefined) {
    const message = 'is for single events: give each event of a batch its id';
    throw invalid('the batch is not valid', [{ field: 'idempotency-key', message }]);
  }
  const list = listEvents(request.body ?? EMPTY, format, limits.maxEvents);
  const errors: FieldError[] = [];
  const events = list.flatMap(({ bytes, read }, index) => {
    const place = `events[${index}]`;
    if (bytes > limits.maxEventBytes) throw tooLarge(place, limits.maxEventBytes);
    const parsed = read();
    if (parsed.ok) return [parsed.event];
    errors.push(...parsed.errors.map((error) => ({ ...error, field: within(place, error.field) })));
    return [];
  });
  if (errors.length > 0) throw invalid('the batch is not valid: none of it was taken', errors.slice(0, MAX_ERRORS));
  const trace = traceOf(request);
  return events.map((event) => addressed(event, { caller, key: undefined, trace }));
}

function parseOne(request: EventRequest): ParsedEvent {
  const body = request.body ?? EMPTY;
  const contentType = header(request, 'content-type');
  const mediaType = mediaTypeOf(contentType);
  if (mediaType === CLOUD_EVENT_TYPE) return parseStructured(body);
  const attributes = httpAttributes(request.headers);
  if (attributes !== undefined) return parseBinary(attributes, HTTP_PREFIX, contentType, body);
  if (mediaType === JSON_TYPE) return parseEvent(body);
  throw unsupported(`content-type must be ${JSON_TYPE} or ${CLOUD_EVENT_TYPE}, or CloudEvents' ce- headers be there`);
}

function listFormat(mediaType: string | undefined): ListFormat {
  if (mediaType === JSON_TYPE) return NATIVE_LIST;
  if (mediaType === CLOUD_EVENT_BATCH_TYPE) return CLOUD_EVENT_LIST;
  throw unsupported(`content-type must be ${JSON_TYPE} or ${CLOUD_EVENT_BATCH_TYPE}`);
}

interface Sender {
  readonly caller: AuthenticatedKey;
  /** The idempotency key. */
  readonly key: string | undefined;
  readonly trace: TraceContext;
}

function addressed(event: ProducedEvent, { caller, key, trace }: Sender): AddressedEvent {
  return { ...event, id: event.id ?? key ?? newId('evt'), tenant: tenantFor(event.tenant, caller), trace };
}

/** The request's `traceparent` header takes precedence over the CloudEvents attributes. */
function traceOf(request: EventRequest): TraceContext {
  const isOfEvent = request.headers.traceparent === undefined;
  return traceContext((name) => header(request, isOfEvent ? HTTP_PREFIX + name : name));
}

/** A tenant's key publishes for that tenant only; an admin key may name any tenant. */
function tenantFor(named: string | undefined, { tenant }: AuthenticatedKey): string {
  if (tenant === null) return named ?? DEFAULT_TENANT;
  if (named === undefined || named === tenant) return tenant;
  throw new ProblemError('FORBIDDEN', `the API key is of the tenant "${tenant}" and cannot publish for "${named}"`);
}

function idempotencyKeyOf(request: EventRequest): string | undefined {
  const key = header(request, 'idempotency-key');
  if (key === undefined || EVENT_ID_PATTERN.test(key)) return key;
  const message = `must be ${EVENT_ID_RULE}`;
  throw invalid('the request is not valid', [{ field: 'idempotency-key', message }]);
}

function header({ headers }: EventRequest, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

function within(place: string, field: string): string {
  return field === 'body' ? place : `${place}.${field}`;
}

function invalid(detail: string, errors: readonly FieldError[]): ProblemError {
  return new ProblemError('BODY_INVALID', detail, { errors });
}

function unsupported(detail: string): ProblemError {
  return new ProblemError('UNSUPPORTED_MEDIA_TYPE', detail);
}

function tooLarge(place: string, limit: number): ProblemError {
  const errors = [{ field: place, message: `must have at most ${limit} bytes` }];
  const detail = `${place} has more than ${limit} bytes (MAX_EVENT_BYTES): none of the batch was taken`;
  return new ProblemError('BODY_TOO_LARGE', detail, { errors });
}
