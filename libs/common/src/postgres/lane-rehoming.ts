import { partitionOf } from '../kafka/port/partitioner.js';
import type { Queryable } from './database.js';

/** Where the look at the lanes of all logs stands. */
export interface LaneCursor {
  readonly log: string;
  readonly lane: string;
}

/**
 * Moves rows of lanes to the logs of their keys, after `topic` got another number of partitions. One page per call; rows
 * that were moved before are at their logs already.
 *
 * @returns the number of moved lanes, and the cursor of the next page; undefined after the last page
 */
export async function rehomeLanes(
  tx: Queryable,
  topic: string,
  partitions: number,
  after: LaneCursor,
  pageSize: number,
): Promise<{ moved: number; next: LaneCursor | undefined }> {
  const lanes = await tx.query<LaneCursor>(
    `SELECT log, lane FROM (
       (SELECT log, lane FROM lane_rows WHERE (log, lane) > ($1, $2) ORDER BY log, lane LIMIT $3)
       UNION (SELECT DISTINCT log, lane FROM parked_deliveries WHERE (log, lane) > ($1, $2) ORDER BY log, lane LIMIT $3)
       UNION (SELECT DISTINCT log, lane FROM lane_commands WHERE (log, lane) > ($1, $2) ORDER BY log, lane LIMIT $3)
     ) AS known ORDER BY log, lane LIMIT $3`,
    [after.log, after.lane, pageSize],
  );
  const moves = lanes
    .map(({ log, lane }) => ({ log, lane, to: `${topic}/${partitionOf(lane, partitions)}` }))
    .filter(({ log, to }) => log !== to && log.startsWith(`${topic}/`));
  if (moves.length > 0) {
    const params = [moves.map(({ log }) => log), moves.map(({ lane }) => lane), moves.map(({ to }) => to)];
    for (const statement of MOVES) await tx.query(statement, params);
  }
  return { moved: moves.length, next: lanes.length < pageSize ? undefined : lanes.at(-1) };
}

const MOVED = 'unnest($1::text[], $2::text[], $3::text[]) AS m (log, lane, target)';

/** A row never goes back: where the target has one, the higher stays (docs/lane-protocol.md, rule 2). */
const MOVES = [
  `WITH gone AS (
     DELETE FROM lane_rows r USING ${MOVED} WHERE r.log = m.log AND r.lane = m.lane RETURNING r.*, m.target)
   INSERT INTO lane_rows AS r (log, lane, endpoint_id, place, attempt, due_at, delivery_id, updated_at)
   SELECT DISTINCT ON (lane) target, lane, endpoint_id, place, attempt, due_at, delivery_id, updated_at FROM gone
   ORDER BY lane, place DESC, attempt DESC NULLS FIRST
   ON CONFLICT (log, lane) DO UPDATE SET place = excluded.place, attempt = excluded.attempt, due_at = excluded.due_at,
     delivery_id = excluded.delivery_id, updated_at = excluded.updated_at
   WHERE excluded.place > r.place`,
  ...['parked_deliveries', 'lane_commands'].map((table) => moveOf(table)),
];

function moveOf(table: string): string {
  const columns = {
    parked_deliveries: 'place, endpoint_id, delivery_id, attempt, header, extra_headers, body, reason, parked_at',
    lane_commands: 'place, kind, attempt, header, body, asked_at',
  }[table];
  return `WITH gone AS (
     DELETE FROM ${table} r USING ${MOVED} WHERE r.log = m.log AND r.lane = m.lane RETURNING r.*, m.target)
   INSERT INTO ${table} (log, lane, ${columns}) SELECT target, lane, ${columns} FROM gone ON CONFLICT DO NOTHING`;
}
