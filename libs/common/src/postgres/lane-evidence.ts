import type { Queryable } from './database.js';

/** The longest tier's delay, a day and a margin: a return may be late (docs/lane-protocol.md#what-follows). */
export const EVIDENCE_DAYS = 8;

const DAY_MS = 86_400_000;

/**
 * Forgets rows of lanes that have long been over and have nothing parked: no record they could still call over is on its
 * way any more. A bounded number at a time.
 *
 * @returns how many
 */
export async function forgetLaneEvidence(database: Queryable, nowMs: number, atMost: number): Promise<number> {
  // The conditions are checked again on the locked row: its owner may have changed it since.
  const [row] = await database.query<{ forgotten: number }>(
    `WITH gone AS (
       DELETE FROM lane_rows r
       WHERE r.ctid = ANY (ARRAY(SELECT ctid FROM lane_rows WHERE attempt IS NULL AND updated_at < $1 LIMIT $2))
         AND r.attempt IS NULL AND r.updated_at < $1
         AND NOT EXISTS (SELECT FROM parked_deliveries p WHERE p.log = r.log AND p.lane = r.lane)
       RETURNING 1)
     SELECT count(*) AS forgotten FROM gone`,
    [new Date(nowMs - EVIDENCE_DAYS * DAY_MS), atMost],
  );
  return row?.forgotten ?? 0;
}
