import type { Queryable } from '#common/postgres/database.js';
import { unpackDelivery } from '#common/records/delivery-record.js';
import type { LaneOwners } from './lane-owners.js';
import type { RebuildSession } from './session.js';

/** Rows of lanes that say something is still to come of which the outcome is known. */
export interface VoidRows {
  readonly heads: number;
  readonly parked: number;
}

const PAGE = 500;

/** Rows that were changed since the rebuild began are not the backup's. */
const ENDED_HEADS = `FROM lane_rows r WHERE r.attempt IS NOT NULL AND r.updated_at < $1 AND EXISTS (
  SELECT FROM rebuild_states s WHERE s.id = r.delivery_id AND s.status IN ('delivered', 'dead'))`;

/**
 * Voids rows of the backup whose deliveries ended since: their lanes would wait for heads that do not come
 * back, and parked ones would be sent once more. An owner that still has such a row in memory waits, and parks new deliveries.
 */
export async function voidEnded(session: RebuildSession, owners: LaneOwners): Promise<VoidRows> {
  const { startedAt } = session;
  if (session.isDryRun) {
    const [row] = await session.query<{ heads: number }>(`SELECT count(*) AS heads ${ENDED_HEADS}`, [startedAt]);
    return { heads: row?.heads ?? 0, parked: await voidParked(session, owners) };
  }
  const heads = await session.transaction((tx) => voidHeads(tx, startedAt, owners));
  return { heads, parked: await voidParked(session, owners) };
}

async function voidHeads(tx: Queryable, startedAt: Date, owners: LaneOwners): Promise<number> {
  const ended = await tx.query<{ log: string }>(
    `UPDATE lane_rows h SET attempt = NULL, due_at = NULL, updated_at = now()
     WHERE (h.log, h.lane) IN (SELECT r.log, r.lane ${ENDED_HEADS} ORDER BY 1, 2 FOR UPDATE) RETURNING h.log`,
    [startedAt],
  );
  await owners.fence(tx, [...new Set(ended.map(({ log }) => log))]);
  return ended.length;
}

interface ParkedRow {
  readonly log: string;
  readonly lane: string;
  readonly place: number;
  readonly header: string;
  readonly ended_replay: number | null;
}

/** Only the packed header says which life is parked. */
async function voidParked(session: RebuildSession, owners: LaneOwners): Promise<number> {
  let count = 0;
  for (let after: [string, string, number] = ['', '', -1]; ; ) {
    const rows = await session.query<ParkedRow>(
      `SELECT p.log, p.lane, p.place, p.header, (SELECT max(s.replay) FROM rebuild_states s
         WHERE s.id = p.delivery_id AND s.status IN ('delivered', 'dead')) AS ended_replay
       FROM parked_deliveries p WHERE (p.log, p.lane, p.place) > ($1, $2, $3) AND p.parked_at < $4
       ORDER BY p.log, p.lane, p.place LIMIT $5`,
      [...after, session.startedAt, PAGE],
      'rebuild-parked',
    );
    const last = rows.at(-1);
    if (last === undefined) return count;
    after = [last.log, last.lane, last.place];
    const ended = rows.filter(({ header, ended_replay }) => hasEnded(header, ended_replay));
    count += ended.length;
    if (ended.length === 0 || session.isDryRun) continue;
    await session.transaction((tx) => removeParked(tx, ended, owners));
  }
}

function hasEnded(header: string, endedReplay: number | null): boolean {
  const parked = unpackDelivery(header);
  return parked !== undefined && endedReplay !== null && endedReplay >= parked.replay;
}

async function removeParked(tx: Queryable, rows: readonly ParkedRow[], owners: LaneOwners): Promise<void> {
  await tx.query(
    `DELETE FROM parked_deliveries p USING unnest($1::text[], $2::text[], $3::bigint[]) AS e (log, lane, place)
     WHERE p.log = e.log AND p.lane = e.lane AND p.place = e.place`,
    [rows.map(({ log }) => log), rows.map(({ lane }) => lane), rows.map(({ place }) => place)],
  );
  await owners.fence(tx, [...new Set(rows.map(({ log }) => log))]);
}
