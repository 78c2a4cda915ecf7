import { hash } from 'node:crypto';
import { type AttemptRecord, decodeAttempt } from '#common/records/attempt-record.js';
import { readDeadLetter } from '#common/records/dead-letter-record.js';
import { DELIVERY_HEADER, decodeDelivery } from '#common/records/delivery-record.js';
import type { InRecord } from '#common/records/record.js';
import { encodeHeaders } from '#common/records/stored-headers.js';

/** States of a delivery, weakest first: within one life of it, a stronger one is never taken back. */
export const STATUSES = ['pending', 'retrying', 'dead', 'delivered'] as const;
export type DeliveryStatus = (typeof STATUSES)[number];

/** Row of `deliveries`. Times in ms since the epoch. */
export interface DeliveryRow {
  readonly id: string;
  readonly accepted_at: number;
  readonly tenant: string;
  readonly event_id: string;
  readonly event_type: string;
  readonly endpoint_id: string;
  readonly lane: string;
  readonly status: DeliveryStatus;
  readonly replay: number;
  readonly attempts: number;
  readonly last_status_code: number | null;
  readonly last_error: string | null;
  readonly dead_reason: string | null;
  readonly next_attempt_at: number | null;
}

/** Row of `dead_letters`. */
export interface DeadLetterRow {
  readonly id: string;
  readonly reason: string;
  readonly detail: string | null;
  readonly last_status_code: number | null;
  readonly last_error: string | null;
  readonly dead_at: Date;
  readonly source: string;
  readonly dlq_partition: number;
  readonly dlq_offset: number;
  readonly tenant: string | null;
  readonly endpoint_id: string | null;
  readonly event_id: string | null;
  readonly event_type: string | null;
  readonly delivery_id: string | null;
  readonly accepted_at: Date | null;
  readonly replay: number | null;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** JSON, see records/stored-headers.ts. */
  readonly headers: string;
}

/** The rows of one record of `dlq`. */
export interface ProjectedDeadLetter {
  readonly deadLetter: DeadLetterRow;
  /** Undefined when the record never was a delivery. */
  readonly delivery: DeliveryRow | undefined;
}

/** A record of `attempts`, and why it is left out. */
export interface RejectedRecord {
  readonly record: InRecord;
  readonly problem: string;
}

/** The rows of records of `attempts`, in text that PostgreSQL can store. Malformed records have none. */
export function projectAttempts(records: readonly InRecord[]): {
  attempts: AttemptRecord[];
  rejected: RejectedRecord[];
} {
  const attempts: AttemptRecord[] = [];
  const rejected: RejectedRecord[] = [];
  for (const record of records) {
    const told = record.oversized === undefined ? decodeAttempt(record.value) : { problem: record.oversized };
    if ('problem' in told) rejected.push({ record, problem: told.problem });
    else attempts.push(inStorableText(told));
  }
  return { attempts, rejected };
}

function inStorableText(told: AttemptRecord): AttemptRecord {
  const lane = storable(told.lane);
  const error_detail = storable(told.error_detail);
  return lane === told.lane && error_detail === told.error_detail ? told : { ...told, lane, error_detail };
}

/** The state in which an attempt left its delivery. */
export function stateAfter(attempt: AttemptRecord): DeliveryRow {
  return {
    id: attempt.delivery_id,
    accepted_at: attempt.accepted_at,
    tenant: attempt.tenant,
    event_id: attempt.event_id,
    event_type: attempt.event_type,
    endpoint_id: attempt.endpoint_id,
    lane: attempt.lane,
    status: attempt.outcome === 'retry' ? 'retrying' : attempt.outcome,
    replay: attempt.replay,
    attempts: attempt.attempt,
    last_status_code: attempt.status_code,
    last_error: attempt.error,
    dead_reason: attempt.dead_reason,
    next_attempt_at: attempt.next_attempt_at,
  };
}

/** Reads any record of `dlq`. A record that Posthorn did not write is kept as well. */
export function projectDeadLetter(record: InRecord): ProjectedDeadLetter {
  const { oversized } = record;
  // Of one that is not whole no header is believed.
  const info = oversized === undefined ? readDeadLetter(record.headers) : undefined;
  // A record that was set aside came from anybody: the delivery, endpoint and tenant it names are not to be believed.
  const isOurs = info !== undefined && info.reason !== 'payload_error';
  const meta = isOurs ? decodeDelivery(record.headers[DELIVERY_HEADER]) : undefined;
  const deadLetter: DeadLetterRow = {
    id: deadLetterId(record),
    reason: info?.reason ?? 'payload_error',
    detail: storable(info ? (info.detail ?? null) : (oversized ?? 'the record has no dead-letter headers')),
    last_status_code: info?.lastStatus ?? null,
    last_error: storable(info?.lastError ?? null),
    dead_at: new Date(info?.at || record.timestamp),
    source: storable(info?.source ?? ''),
    dlq_partition: record.partition,
    dlq_offset: record.offset,
    tenant: meta?.tenant ?? null,
    endpoint_id: meta?.endpointId ?? null,
    event_id: meta?.eventId ?? null,
    event_type: meta?.eventType ?? null,
    delivery_id: meta?.deliveryId ?? null,
    accepted_at: meta ? new Date(meta.acceptedAt) : null,
    replay: meta?.replay ?? null,
    key: record.key,
    value: record.value,
    headers: JSON.stringify(encodeHeaders(record.headers)),
  };
  if (meta === undefined || info === undefined) return { deadLetter, delivery: undefined };
  const delivery: DeliveryRow = {
    id: meta.deliveryId,
    accepted_at: meta.acceptedAt,
    tenant: meta.tenant,
    event_id: meta.eventId,
    event_type: meta.eventType,
    endpoint_id: meta.endpointId,
    lane: storable(record.key?.toString() ?? ''),
    status: 'dead',
    replay: meta.replay,
    attempts: meta.attempt,
    last_status_code: deadLetter.last_status_code,
    last_error: deadLetter.last_error,
    dead_reason: info.reason,
    next_attempt_at: null,
  };
  return { deadLetter, delivery };
}

/**
 * Of each delivery, the state that counts: of its latest life, the strongest, then of the latest attempt. `attempts` and
 * `dlq` are read independently, so their records may come in any order; the SQL in delivery-rows.ts ranks them the same way.
 *
 * @returns one row per delivery, in the order of their keys: they are cheapest to add in it, and rows are always locked in
 *   the same order
 */
export function latestStates(rows: readonly DeliveryRow[]): DeliveryRow[] {
  const latest = new Map<string, DeliveryRow>();
  for (const row of rows) {
    const key = `${row.id}/${row.accepted_at}`;
    const known = latest.get(key);
    if (known === undefined) latest.set(key, row);
    else latest.set(key, merge(known, row));
  }
  return [...latest.values()].sort((a, b) => a.accepted_at - b.accepted_at || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

function merge(a: DeliveryRow, b: DeliveryRow): DeliveryRow {
  const winner = outranks(b, a) ? b : a;
  if (a.replay !== b.replay) return winner;
  return { ...winner, attempts: Math.max(a.attempts, b.attempts) };
}

function outranks(a: DeliveryRow, b: DeliveryRow): boolean {
  if (a.replay !== b.replay) return a.replay > b.replay;
  const strength = STATUSES.indexOf(a.status) - STATUSES.indexOf(b.status);
  return strength === 0 ? a.attempts >= b.attempts : strength > 0;
}

/** The same record always gets the same id. Its time separates it from a record at the same offset of a recreated topic. */
function deadLetterId({ partition, offset, timestamp }: InRecord): string {
  return `dl_${hash('sha256', `${partition}/${offset}/${timestamp}`, 'base64url').slice(0, 22)}`;
}

/** PostgreSQL's text has no NUL; and a line feed separates the values of a column on their way to it. */
function storable<Text extends string | null>(text: Text): Text | string {
  return text === null || !UNSTORABLE.test(text) ? text : text.replaceAll('\0', '').replaceAll('\n', ' ');
}

const UNSTORABLE = /[\0\n]/;
