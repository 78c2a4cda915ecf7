import { listOf } from './array-parameters.js';

/*
 * A statement is planned when its tables are nearly empty, and used when they hold millions of rows. So none leaves the
 * planner a choice that depends on how many there are: rows are found one by one, by their key, in a lateral subquery with
 * a limit or an order, and the lengths of lists are hidden from it.
 */

const EPOCH = 'SELECT log FROM lane_logs WHERE log = $1 AND epoch = $2';
/** No other owner can raise the epoch before the writes have committed. */
const FENCE = `fence AS MATERIALIZED (${EPOCH} FOR SHARE)`;
/** The read shows the rows of the time when the epoch was this owner's. A lock would make each read a write that waits for the disk. */
export const OWNED = `owned AS MATERIALIZED (${EPOCH})`;

/** Joins the row of a lane of log `$1`, as `r`, if it has one. @param lane an expression */
export function rowOf(lane: string): string {
  return `LEFT JOIN LATERAL (SELECT * FROM lane_rows WHERE log = $1 AND lane_rows.lane = ${lane} LIMIT 1) AS r ON true`;
}

/**
 * A row never goes back: over ranks above any attempt. A delivery that is over is not parked again. Of two parked records
 * of one place, the one with more attempts stays (docs/lane-protocol.md, rules 3 to 5).
 */
export const WRITE = `WITH ${FENCE},
  named AS (
    INSERT INTO lane_rows AS r (log, lane, endpoint_id, place, attempt, due_at, delivery_id, updated_at)
    SELECT fence.log, i.lane, i.endpoint_id, i.place, i.attempt, i.due_at, i.delivery_id, clock_timestamp()
    FROM fence, unnest(${listOf('$3', 'text')}, $4::text[], $5::bigint[], $6::int[], $7::timestamptz[], $8::text[])
      AS i (lane, endpoint_id, place, attempt, due_at, delivery_id)
    ON CONFLICT (log, lane) DO UPDATE SET place = excluded.place, attempt = excluded.attempt, due_at = excluded.due_at,
      delivery_id = excluded.delivery_id, updated_at = excluded.updated_at
    WHERE excluded.place > r.place
      OR (excluded.place = r.place AND r.attempt IS NOT NULL AND (excluded.attempt IS NULL OR excluded.attempt >= r.attempt))
  ),
  parked AS (
    INSERT INTO parked_deliveries AS p
      (log, lane, place, endpoint_id, delivery_id, attempt, header, extra_headers, body, reason, parked_at)
    SELECT fence.log, i.* FROM fence
    CROSS JOIN unnest(${listOf('$9', 'text')}, $10::bigint[], $11::text[], $12::text[], $13::int[], $14::text[],
        $15::jsonb[], $16::bytea[], $17::text[], $18::timestamptz[])
      AS i (lane, place, endpoint_id, delivery_id, attempt, header, extra_headers, body, reason, parked_at)
    ${rowOf('i.lane')}
    WHERE r.place IS NULL OR i.place > r.place OR (i.place = r.place AND r.attempt IS NOT NULL)
    ON CONFLICT (log, lane, place) DO UPDATE SET attempt = excluded.attempt, header = excluded.header
    WHERE p.attempt < excluded.attempt
  ),
  removed AS (
    DELETE FROM parked_deliveries WHERE ctid = ANY (ARRAY (
      SELECT p.ctid FROM fence
      CROSS JOIN unnest(${listOf('$19', 'text')}, $20::bigint[], $21::bigint[], $22::int[]) AS i (lane, lowest, highest, attempt)
      CROSS JOIN LATERAL (
        SELECT ctid FROM parked_deliveries AS at WHERE at.log = $1 AND at.lane = i.lane
          AND at.place BETWEEN i.lowest AND i.highest AND at.attempt = coalesce(i.attempt, at.attempt)
        ORDER BY at.place OFFSET 0
      ) AS p
    ))
  )
  SELECT count(*)::int AS fenced FROM fence`;
