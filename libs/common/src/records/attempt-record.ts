import { z } from 'zod';
import { EVENT_ID_PATTERN, TENANT_PATTERN } from '../domain/identifiers.js';
import { ATTEMPT_ERRORS, type AttemptError, DEAD_REASONS, type DeadReason } from '../domain/verdict.js';
import { ENDPOINT_ID_PATTERN, MAX_COUNT, MAX_INT, MAX_TIME_MS } from './limits.js';
import { wholeNumberUpTo } from './packed-fields.js';

/** The outcome of one attempt. Times are ms since the epoch; fields have the names of columns. */
export interface AttemptRecord {
  readonly delivery_id: string;
  readonly event_id: string;
  readonly endpoint_id: string;
  readonly tenant: string;
  readonly event_type: string;
  readonly lane: string;
  readonly accepted_at: number;
  readonly replay: number;
  /** 1-based number of this attempt in this life. */
  readonly attempt: number;
  readonly at: number;
  /** Whole. */
  readonly duration_ms: number;
  readonly status_code: number | null;
  readonly error: AttemptError | null;
  /** Not empty. */
  readonly error_detail: string | null;
  readonly outcome: 'delivered' | 'retry' | 'dead';
  readonly dead_reason: DeadReason | null;
  /** True for a 410, which is dead, too: the endpoint asked to be left alone. */
  readonly gone: boolean;
  readonly next_attempt_at: number | null;
  /** First bytes of the answer; null when there were none. */
  readonly response_body: Buffer | null;
}

/** A record without an attempt, and why. */
export interface NoAttempt {
  readonly problem: string;
}

const VERSION = '2';
const FIELDS = 18;
const MAX_STATUS = 999;
/** Twice what the longest lane, and an answer's first 4 KiB in base64 take. */
const MAX_BYTES = 32_768;
/** Ends the fields where a response body follows; none of them contains it. */
const BODY_FOLLOWS = 0;

/** Fields in fixed order, separated by line feeds; then, if there is a response body, a NUL and the body's bytes. */
export function encodeAttempt(told: AttemptRecord): Buffer | string {
  const fields = [
    VERSION,
    told.delivery_id,
    told.event_id,
    told.endpoint_id,
    told.tenant,
    told.event_type,
    escaped(told.lane),
    told.accepted_at,
    told.replay,
    told.attempt,
    told.at,
    told.duration_ms,
    told.gone ? 'gone' : told.outcome,
    told.status_code ?? '',
    told.error ?? '',
    escaped(told.error_detail ?? ''),
    told.dead_reason ?? '',
    told.next_attempt_at ?? '',
  ].join('\n');
  if (told.response_body === null) return fields;
  return Buffer.concat([Buffer.from(`${fields}\0`), told.response_body]);
}

/**
 * Reads a record: all fields of an attempt can be stored, but for a NUL in the lane and the error detail.
 *
 * Also reads version 1, JSON: a topic may hold it, and older dispatchers write it while newer ones start.
 */
export function decodeAttempt(value: Buffer | null): AttemptRecord | NoAttempt {
  if (value === null || value.length === 0) return { problem: 'it is empty' };
  if (value.length > MAX_BYTES) return { problem: `it has ${value.length} bytes` };
  if (value[0] === JSON_BEGINS) return readJson(value);
  const end = value.indexOf(BODY_FOLLOWS);
  const text = value.toString('utf8', 0, end === -1 ? value.length : end);
  if (!text.startsWith(`${VERSION}\n`)) return { problem: 'its version is not known' };
  const fields = NAMES.test(text) ? text.split('\n', FIELDS + 1) : [];
  const told = fields.length === FIELDS ? readFields(fields, end === -1 ? null : value.subarray(end + 1)) : undefined;
  return told ?? { problem: 'its fields are malformed' };
}

/** Version, delivery id, event id, endpoint id, tenant and event type, as in the header of a delivery; and a lane. */
const NAMES =
  /^2\n[\w.-]{1,64}\n[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?\n[\w.-]{1,64}\n[\w.-]{1,64}\n[\w.-]{1,256}\n[^\n]/;

/** Field by field: to destructure a list, or to spread what was read before, costs as much as all the rest. */
function readFields(fields: readonly string[], response_body: Buffer | null): AttemptRecord | undefined {
  const delivery_id = fields[1];
  const event_id = fields[2];
  const endpoint_id = fields[3];
  const tenant = fields[4];
  const event_type = fields[5];
  const lane = fields[6];
  if (!delivery_id || !event_id || !endpoint_id || !tenant || !event_type || !lane) return undefined;
  const how = fields[12] ?? '';
  const outcome = OUTCOMES.get(how);
  const error = ERRORS.get(fields[14] ?? '');
  const dead_reason = REASONS.get(fields[16] ?? '');
  if (outcome === undefined || error === undefined || dead_reason === undefined) return undefined;
  const told = {
    delivery_id,
    event_id,
    endpoint_id,
    tenant,
    event_type,
    lane: unescaped(lane),
    accepted_at: numberOf(fields[7], MAX_TIME_MS),
    replay: numberOf(fields[8], MAX_COUNT),
    attempt: numberOf(fields[9], MAX_COUNT),
    at: numberOf(fields[10], MAX_TIME_MS),
    duration_ms: numberOf(fields[11], MAX_INT),
    status_code: fields[13] ? numberOf(fields[13], MAX_STATUS) : null,
    error,
    error_detail: fields[15] ? unescaped(fields[15]) : null,
    outcome,
    dead_reason,
    gone: how === 'gone',
    next_attempt_at: fields[17] ? numberOf(fields[17], MAX_TIME_MS) : null,
    response_body,
  };
  return hasAllNumbers(told) ? told : undefined;
}

const OUTCOMES: ReadonlyMap<string, AttemptRecord['outcome']> = new Map([
  ['delivered', 'delivered'],
  ['retry', 'retry'],
  ['dead', 'dead'],
  ['gone', 'dead'],
]);
const ERRORS = new Map<string, AttemptError | null>([
  ['', null],
  ...ATTEMPT_ERRORS.map((name) => [name, name] as const),
]);
const REASONS = new Map<string, DeadReason | null>([['', null], ...DEAD_REASONS.map((name) => [name, name] as const)]);

function numberOf(text: string | undefined, most: number): number {
  return wholeNumberUpTo(most, text) ?? Number.NaN;
}

/** A sum is not a number when one of its terms is not. */
function hasAllNumbers(told: AttemptRecord): boolean {
  const optional = (told.status_code ?? 0) + (told.next_attempt_at ?? 0);
  return !Number.isNaN(told.accepted_at + told.replay + told.attempt + told.at + told.duration_ms + optional);
}

const NEEDS_ESCAPE = /[\\\n\0]/g;
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\0': '\\0' };
const ESCAPED = /\\([\\n0])/g;
const MEANT: Readonly<Record<string, string>> = { '\\': '\\', n: '\n', 0: '\0' };

/** A lane is any record's key, and what an error says is anybody's text: the others hold no control characters. */
function escaped(text: string): string {
  return text.replace(NEEDS_ESCAPE, (character) => ESCAPES[character] ?? character);
}

function unescaped(text: string): string {
  return text.includes('\\') ? text.replace(ESCAPED, (_, letter: string) => MEANT[letter] ?? letter) : text;
}

const JSON_BEGINS = '{'.charCodeAt(0);
const MAX_PROBLEM_LENGTH = 500;
/** UTF-8 has no lone surrogates. */
const text = z.string().refine((given) => given.isWellFormed());
const upTo = (most: number) => z.int().min(0).max(most);

const jsonSchema = z.object({
  v: z.literal(1),
  delivery_id: z.string().regex(ENDPOINT_ID_PATTERN),
  event_id: z.string().regex(EVENT_ID_PATTERN),
  endpoint_id: z.string().regex(ENDPOINT_ID_PATTERN),
  tenant: z.string().regex(TENANT_PATTERN),
  event_type: z.string().regex(/^[\w.-]{1,256}$/),
  lane: text.min(1),
  accepted_at: upTo(MAX_TIME_MS),
  replay: upTo(MAX_COUNT),
  attempt: upTo(MAX_COUNT),
  at: upTo(MAX_TIME_MS),
  duration_ms: z.number().min(0).max(MAX_INT).transform(Math.round),
  status_code: upTo(MAX_STATUS).nullable(),
  error: z.enum(ATTEMPT_ERRORS).nullable(),
  error_detail: text.nullable(),
  outcome: z.enum(['delivered', 'retry', 'dead']),
  dead_reason: z.enum(DEAD_REASONS).nullable(),
  gone: z.boolean(),
  next_attempt_at: upTo(MAX_TIME_MS).nullable(),
  response_body: z
    .string()
    .nullable()
    .transform((base64) => (base64 === null ? null : Buffer.from(base64, 'base64'))),
});

function readJson(value: Buffer): AttemptRecord | NoAttempt {
  try {
    const { v: _version, ...told } = jsonSchema.parse(JSON.parse(value.toString()));
    return told;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { problem: `its JSON is malformed: ${reason.slice(0, MAX_PROBLEM_LENGTH)}` };
  }
}
