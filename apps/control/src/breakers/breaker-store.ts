import type { Breaker, BreakerMode, BreakerSettings, BreakerState } from '#common/domain/breaker.js';
import { listOf } from '#common/postgres/array-parameters.js';
import type { Queryable } from '#common/postgres/database.js';

/** Postgres' view of an endpoint's health. */
export interface StoredHealth {
  readonly endpoint_id: string;
  readonly state: BreakerState;
  readonly consecutive_dead: number;
  readonly openings: number;
  readonly opened_at: Date | null;
  readonly half_open_at: Date | null;
  readonly probe_until: Date | null;
  readonly last_success_at: Date | null;
  readonly last_failure_at: Date | null;
}

/** An endpoint's breaker, and the further health that a batch of outcomes changes. */
export interface HealthChange {
  readonly endpointId: string;
  readonly breaker: Breaker;
  /** Undefined when the batch has none. */
  readonly lastSuccessAt: Date | undefined;
  readonly lastFailureAt: Date | undefined;
}

/** Holds the endpoints' health rows until the transaction ends, always in the same order. Deleted endpoints have none. */
export async function lockBreakers(tx: Queryable, endpointIds: readonly string[]): Promise<Map<string, Breaker>> {
  const rows = await tx.query<StoredHealth>(
    `SELECT * FROM endpoint_health WHERE endpoint_id = ANY (${listOf('$1', 'text')}) ORDER BY endpoint_id FOR UPDATE`,
    [endpointIds],
    'lock-breakers',
  );
  return new Map(rows.map((row) => [row.endpoint_id, toBreaker(row)]));
}

/** Locks up to `limit` breakers whose cool-down is over; those that another process holds are left to it. */
export async function lockCooledDown(tx: Queryable, limit: number): Promise<Map<string, Breaker>> {
  const rows = await tx.query<StoredHealth>(
    `SELECT * FROM endpoint_health WHERE state = 'open' AND half_open_at <= now()
     ORDER BY endpoint_id LIMIT $1 FOR UPDATE SKIP LOCKED`,
    [limit],
    'cooled-breakers',
  );
  return new Map(rows.map((row) => [row.endpoint_id, toBreaker(row)]));
}

/** Read after the rows are locked, so that they are those of the last change. */
export async function breakerSettings(
  tx: Queryable,
  endpointIds: readonly string[],
): Promise<Map<string, BreakerSettings>> {
  const rows = await tx.query<{
    id: string;
    breaker_mode: BreakerSettings['mode'];
    breaker_threshold: number;
    breaker_cooldown_s: number;
    breaker_max_cooldown_s: number;
  }>(
    `SELECT id, breaker_mode, breaker_threshold, breaker_cooldown_s, breaker_max_cooldown_s
     FROM endpoints WHERE id = ANY (${listOf('$1', 'text')})`,
    [endpointIds],
    'breaker-settings',
  );
  return new Map(
    rows.map((row) => [
      row.id,
      {
        mode: row.breaker_mode,
        threshold: row.breaker_threshold,
        cooldownMs: row.breaker_cooldown_s * 1_000,
        maxCooldownMs: row.breaker_max_cooldown_s * 1_000,
      },
    ]),
  );
}

/** The probe's permit ends with the state it was given in. */
export async function storeHealth(tx: Queryable, changes: readonly HealthChange[]): Promise<void> {
  if (changes.length === 0) return;
  await tx.query(
    `UPDATE endpoint_health h SET state = i.state, consecutive_dead = i.consecutive_dead, openings = i.openings,
       opened_at = i.opened_at, half_open_at = i.half_open_at,
       probe_until = CASE WHEN h.state = i.state THEN h.probe_until END,
       last_success_at = greatest(h.last_success_at, i.last_success_at),
       last_failure_at = greatest(h.last_failure_at, i.last_failure_at)
     FROM unnest(${listOf('$1', 'text')}, $2::text[], $3::int[], $4::int[], $5::timestamptz[], $6::timestamptz[],
       $7::timestamptz[], $8::timestamptz[]) AS i (endpoint_id, state, consecutive_dead, openings, opened_at, half_open_at,
       last_success_at, last_failure_at)
     WHERE h.endpoint_id = i.endpoint_id`,
    [
      changes.map(({ endpointId }) => endpointId),
      changes.map(({ breaker }) => breaker.state),
      changes.map(({ breaker }) => breaker.consecutiveDead),
      changes.map(({ breaker }) => breaker.openings),
      changes.map(({ breaker }) => toDate(breaker.openedAt)),
      changes.map(({ breaker }) => toDate(breaker.halfOpenAt)),
      changes.map(({ lastSuccessAt }) => lastSuccessAt ?? null),
      changes.map(({ lastFailureAt }) => lastFailureAt ?? null),
    ],
    'store-health',
  );
}

/** The breaker's fields of an endpoint record, by column. */
export interface RecordedBreaker {
  readonly id: string;
  readonly breaker_state: BreakerState;
  readonly breaker_mode: BreakerMode;
  readonly breaker_threshold: number;
  readonly breaker_cooldown_s: number;
}

/**
 * Sets the endpoint's breaker to the state of its record. A breaker that changes its state begins that state now: a record does
 * not carry the counts.
 */
export async function restoreBreaker(tx: Queryable, endpoint: RecordedBreaker): Promise<void> {
  const { id, breaker_state: state, breaker_mode: mode } = endpoint;
  await tx.query('INSERT INTO endpoint_health (endpoint_id) VALUES ($1) ON CONFLICT DO NOTHING', [id]);
  const now = new Date();
  const isClosed = state === 'closed';
  const coolsUntil = new Date(now.getTime() + (state === 'open' ? endpoint.breaker_cooldown_s * 1_000 : 0));
  await tx.query(
    `UPDATE endpoint_health SET state = $2, consecutive_dead = $3, openings = $4, opened_at = $5, half_open_at = $6,
       probe_until = NULL
     WHERE endpoint_id = $1 AND state <> $2`,
    [
      id,
      state,
      isClosed ? 0 : endpoint.breaker_threshold,
      isClosed ? 0 : 1,
      isClosed ? null : now,
      isClosed || (state === 'open' && mode === 'manual') ? null : coolsUntil,
    ],
  );
}

function toBreaker(row: StoredHealth): Breaker {
  return {
    state: row.state,
    consecutiveDead: row.consecutive_dead,
    openings: row.openings,
    openedAt: row.opened_at?.getTime(),
    halfOpenAt: row.half_open_at?.getTime(),
  };
}

function toDate(ms: number | undefined): Date | null {
  return ms === undefined ? null : new Date(ms);
}
