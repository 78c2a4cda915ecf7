import type { Queryable } from '#common/postgres/database.js';

/**
 * Notes which deliveries wait in PostgreSQL, before outcomes are read. Traffic continues: a delivery that waits now and ends
 * during the rebuild may have no row any more and no projected outcome yet. It is not lost.
 */
export async function noteWaiting(db: Queryable): Promise<void> {
  await db.query(`CREATE TEMP TABLE rebuild_waiting AS
    SELECT log, lane, place, NULL::int AS attempt FROM parked_deliveries
    UNION ALL SELECT log, lane, place, attempt FROM lane_rows WHERE attempt IS NOT NULL`);
  await db.query('CREATE INDEX ON rebuild_waiting (log, lane, place)');
  await db.query('ANALYZE rebuild_waiting');
}

/** Condition on a row `c` of `rebuild_deliveries` and its lane's present row `r`: it was parked, or a head that has moved on. */
export const WAITED = `EXISTS (SELECT FROM rebuild_waiting w WHERE w.log = c.log AND w.lane = c.lane AND w.place = c.place
  AND (w.attempt IS NULL OR r.place IS DISTINCT FROM w.place OR r.attempt IS DISTINCT FROM w.attempt))`;
