import { setTimeout as sleep } from 'node:timers/promises';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';
import type { RebuildSession } from './session.js';

const MAX_LISTED = 1_000;
/** Control writes the outbox to Kafka within milliseconds. Where none runs, nothing is waited for in vain any longer. */
const PUBLISHED_TIMEOUT_MS = 20_000;
const LOOK_AGAIN_MS = 200;

/** Waits until the outbox has written its records of `deliveries`. */
export async function untilPublished(session: RebuildSession): Promise<void> {
  for (const deadline = performance.now() + PUBLISHED_TIMEOUT_MS; performance.now() < deadline; ) {
    const owed = await session.query('SELECT FROM outbox WHERE topic = $1 LIMIT 1', [DELIVERIES_TOPIC]);
    if (owed.length === 0) return;
    await sleep(LOOK_AGAIN_MS);
  }
}

/**
 * In the lanes where something was sent again or attempted more than once: each delivery at its first place, when it was
 * delivered, and where its record lies that was sent again. Replays of dead letters have no order.
 */
const OVERTAKEN = `WITH lanes AS (
    SELECT log, lane FROM rebuild_deliveries WHERE sent_at IS NOT NULL
    UNION SELECT f.log, f.lane FROM rebuild_deliveries f
      JOIN rebuild_states s ON s.accepted_at = f.accepted_at AND s.id = f.delivery_id
      WHERE s.status = 'retrying' OR s.attempts > 1
  ), firsts AS (
    SELECT DISTINCT ON (f.log, f.lane, f.delivery_id) f.log, f.lane, f.place, f.delivery_id, f.accepted_at, f.sent_at
    FROM rebuild_deliveries f JOIN lanes USING (log, lane)
    WHERE f.lane <> f.delivery_id AND NOT EXISTS (SELECT FROM dead_letters l WHERE l.delivery_id = f.delivery_id)
    ORDER BY f.log, f.lane, f.delivery_id, f.place
  ), again AS (
    SELECT delivery_id, max(place) AS place FROM rebuild_deliveries GROUP BY delivery_id
  ), delivered AS (
    SELECT delivery_id, min(at) AS at FROM delivery_attempts
    WHERE outcome = 'delivered' AND accepted_at >= (SELECT min(accepted_at) FROM firsts) GROUP BY delivery_id
  ), timed AS (
    SELECT firsts.log, firsts.lane, firsts.place, coalesce(delivered.at, 'infinity') AS delivered_at,
      CASE WHEN firsts.sent_at IS NULL OR again.place > firsts.place THEN again.place
        ELSE ${Number.MAX_SAFE_INTEGER} END AS last_place
    FROM firsts JOIN again USING (delivery_id) LEFT JOIN delivered USING (delivery_id)
  ), followed AS (
    SELECT lane, delivered_at, last_place, min(delivered_at) OVER later AS next_delivered_at,
      min(last_place) OVER later AS next_place
    FROM timed
    -- A frame that grows is linear; one whose start moves is computed again for each row.
    WINDOW later AS (PARTITION BY log, lane ORDER BY place DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
  )
  SELECT DISTINCT lane FROM followed
  WHERE next_delivered_at < delivered_at OR (delivered_at = 'infinity' AND next_place < last_place)
  ORDER BY lane LIMIT ${MAX_LISTED}`;

/** @returns lanes in which later deliveries were delivered, or lie in the log, before one that waited; at most 1000 */
export async function overtakenLanes(session: RebuildSession): Promise<string[]> {
  const rows = await session.query<{ lane: string }>(OVERTAKEN);
  return rows.map(({ lane }) => lane);
}
