import { hash } from 'node:crypto';
import type { InRecord } from '#common/kafka/record.js';
import { type AttemptRecord, attemptRecordSchema } from '#common/records/attempt-record.js';
import { readDeadLetter } from '#common/records/dead-letter-record.js';
import { DELIVERY_HEADER, decodeDelivery } from '#common/records/delivery-record.js';
import { encodeHeaders } from '../outbox/outbox.js';

/** States of a delivery, weakest first: within one life of it, a stronger one is never taken back. */
export const STATUSES = ['pending', 'retrying', 'dead', 'delivered'] as const;
export type DeliveryStatus = (typeof STATUSES)[number];

/** Row of `deliveries`. */
export interface DeliveryRow {
  readonly id: string;
  readonly accepted_at: Date;
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
  readonly next_attempt_at: Date | null;
}

/** Row of `attempts`. */
export interface AttemptRow {
  readonly delivery_id: string;
  readonly accepted_at: Date;
  readonly replay: number;
  readonly attempt: number;
  readonly at: Date;
  readonly duration_ms: number;
  readonly status_code: number | null;
  readonly error: string | null;
  readonly error_detail: string | null;
  readonly outcome: AttemptRecord['outcome'];
  readonly response_body: Buffer | null;
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
  /** JSON; values in base64. */
  readonly headers: string;
}

/** What one record of `attempts` says. */
export interface ProjectedAttempt {
  readonly attempt: AttemptRow;
  readonly delivery: DeliveryRow;
  /** The endpoint answered 410. */
  readonly gone: boolean;
}

/** What one record of `dlq` says. */
export interface ProjectedDeadLetter {
  readonly deadLetter: DeadLetterRow;
  /** Undefined when the record never was a delivery. */
  readonly delivery: DeliveryRow | undefined;
}

/** @throws when the record is no attempt record: the topic is written by the dispatcher alone */
export function projectAttempt(record: InRecord): ProjectedAttempt {
  const told = attemptRecordSchema.parse(JSON.parse(record.value?.toString() ?? 'null'));
  const accepted_at = new Date(told.accepted_at);
  const attempt: AttemptRow = {
    delivery_id: told.delivery_id,
    accepted_at,
    replay: told.replay,
    attempt: told.attempt,
    at: new Date(told.at),
    duration_ms: Math.round(told.duration_ms),
    status_code: told.status_code,
    error: told.error,
    error_detail: storable(told.error_detail),
    outcome: told.outcome,
    response_body: told.response_body === null ? null : Buffer.from(told.response_body, 'base64'),
  };
  const delivery: DeliveryRow = {
    id: told.delivery_id,
    accepted_at,
    tenant: told.tenant,
    event_id: told.event_id,
    event_type: told.event_type,
    endpoint_id: told.endpoint_id,
    lane: storable(told.lane) ?? '',
    status: told.outcome === 'retry' ? 'retrying' : told.outcome,
    replay: told.replay,
    attempts: told.attempt,
    last_status_code: told.status_code,
    last_error: told.error,
    dead_reason: told.dead_reason,
    next_attempt_at: told.next_attempt_at === null ? null : new Date(told.next_attempt_at),
  };
  return { attempt, delivery, gone: told.gone };
}

/** Understands any record of `dlq`: what is no dead letter of ours was put there by somebody and is kept all the same. */
export function projectDeadLetter(record: InRecord): ProjectedDeadLetter {
  const info = readDeadLetter(record.headers);
  const meta = decodeDelivery(record.headers[DELIVERY_HEADER]);
  const deadLetter: DeadLetterRow = {
    id: deadLetterId(record),
    reason: info?.reason ?? 'payload_error',
    detail: storable(info ? (info.detail ?? null) : 'the record has no dead-letter headers'),
    last_status_code: info?.lastStatus ?? null,
    last_error: storable(info?.lastError ?? null),
    dead_at: new Date(info?.at || record.timestamp),
    source: storable(info?.source ?? null) ?? '',
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
    accepted_at: new Date(meta.acceptedAt),
    tenant: meta.tenant,
    event_id: meta.eventId,
    event_type: meta.eventType,
    endpoint_id: meta.endpointId,
    lane: storable(record.key?.toString() ?? null) ?? '',
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
 * `dlq` are read independently, so their records may come in any order; the SQL in projection-writer.ts says the same.
 *
 * @returns one row per delivery, ordered by id: rows are always locked in the same order
 */
export function latestStates(rows: readonly DeliveryRow[]): DeliveryRow[] {
  const latest = new Map<string, DeliveryRow>();
  for (const row of rows) {
    const key = `${row.id}/${row.accepted_at.getTime()}`;
    const known = latest.get(key);
    if (known === undefined) latest.set(key, row);
    else latest.set(key, merge(known, row));
  }
  return [...latest.values()].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
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

/** The same record always gets the same id; its time tells it from one at the same place of a topic made anew. */
function deadLetterId({ partition, offset, timestamp }: InRecord): string {
  return `dl_${hash('sha256', `${partition}/${offset}/${timestamp}`, 'base64url').slice(0, 22)}`;
}

/** PostgreSQL's text has no NUL. */
function storable(text: string | null): string | null {
  return text === null ? null : text.replaceAll('\0', '');
}
