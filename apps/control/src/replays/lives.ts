import { ProblemError } from '#common/http/problem.js';
import type { Queryable } from '#common/postgres/database.js';

/** A delivery, with the life whose end the caller saw. */
export interface EndedLife {
  readonly id: string;
  readonly accepted_at: Date;
  readonly replay: number;
}

/**
 * The order in which every statement locks rows of `deliveries`, as `d`: that of `latestStates` in projector/projection.ts,
 * which compares ids byte by byte. Two statements with different orders can wait for each other.
 */
export const LOCK_ORDER = 'd.accepted_at, d.id COLLATE "C"';

/**
 * Begins the next life of each delivery that is over and still in the seen life. A delivery that another request sent
 * again stays.
 *
 * @returns ids of those that were begun
 */
export async function beginNextLives(tx: Queryable, seen: readonly EndedLife[]): Promise<Set<string>> {
  const params = [
    seen.map(({ id }) => id),
    seen.map(({ accepted_at }) => accepted_at),
    seen.map(({ replay }) => replay),
  ];
  const rows = await tx.query<{ id: string }>(
    `WITH locked AS MATERIALIZED (
       SELECT d.id, d.accepted_at FROM deliveries d
       JOIN unnest($1::text[], $2::timestamptz[], $3::int[]) AS s (id, accepted_at, replay)
         ON d.id = s.id AND d.accepted_at = s.accepted_at AND d.replay = s.replay
       WHERE d.status IN ('dead', 'delivered') ORDER BY ${LOCK_ORDER} FOR UPDATE OF d
     )
     UPDATE deliveries d SET status = 'pending', replay = d.replay + 1, attempts = 0, last_status_code = NULL,
       last_error = NULL, dead_reason = NULL, next_attempt_at = NULL, updated_at = now()
     FROM locked WHERE d.id = locked.id AND d.accepted_at = locked.accepted_at RETURNING d.id`,
    params,
  );
  return new Set(rows.map(({ id }) => id));
}

/** A life of a delivery that was asked for. */
export interface RequestedLife {
  readonly delivery_id: string;
  readonly replay: number;
}

/** The delivery is pending from now on: asking again is a conflict, and earlier lives change it no more. */
export async function beginLife(
  tx: Queryable,
  { delivery_id, replay }: RequestedLife,
  acceptedAt: Date,
): Promise<void> {
  const begun = await tx.query(
    `UPDATE deliveries SET status = 'pending', replay = $3, attempts = 0, last_status_code = NULL, last_error = NULL,
       dead_reason = NULL, next_attempt_at = NULL, updated_at = now()
     WHERE id = $1 AND accepted_at = $2 AND replay < $3 RETURNING 1`,
    [delivery_id, acceptedAt, replay],
  );
  if (begun.length > 0) return;
  const [row] = await tx.query('SELECT 1 FROM deliveries WHERE id = $1 AND accepted_at = $2', [
    delivery_id,
    acceptedAt,
  ]);
  if (row !== undefined) throw new ProblemError('CONFLICT', 'the delivery was sent again meanwhile');
}
