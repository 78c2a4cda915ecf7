import type { Queryable } from '#common/postgres/database.js';
import { encodeDelivery } from '#common/records/delivery-record.js';
import type { OpenDelivery } from './candidates.js';
import type { LaneOwners } from './lane-owners.js';

/**
 * Names deliveries that wait for their next attempt as the heads of their lanes, so that later deliveries wait behind them.
 *
 * Each is parked at its own place, too, with one attempt less than its row says. By rule 2 of the lane protocol its owner
 * then puts it into its tier again, with the row's due time: the record in the tier may be lost, and a second one is stale.
 *
 * @returns the number of named heads; a lane with a higher row keeps it
 */
export async function nameHeads(tx: Queryable, heads: readonly OpenDelivery[], owners: LaneOwners): Promise<number> {
  if (heads.length === 0) return 0;
  await owners.fence(tx, [...new Set(heads.map(({ log }) => log))]);
  const named = await insertRows(tx, heads);
  const placed = heads.filter(({ log, lane, place }) => named.get(`${log} ${lane}`) === place);
  await park(tx, placed);
  return placed.length;
}

/** @returns by log and lane: the place of the head that was named */
async function insertRows(tx: Queryable, heads: readonly OpenDelivery[]): Promise<Map<string, number>> {
  const rows = await tx.query<{ log: string; lane: string; place: number }>(
    `INSERT INTO lane_rows AS r (log, lane, endpoint_id, place, attempt, due_at, delivery_id, updated_at)
     SELECT DISTINCT ON (log, lane) i.*, clock_timestamp()
     FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::int[], $6::timestamptz[], $7::text[])
       AS i (log, lane, endpoint_id, place, attempt, due_at, delivery_id) ORDER BY log, lane, place
     ON CONFLICT (log, lane) DO UPDATE SET place = excluded.place, attempt = excluded.attempt, due_at = excluded.due_at,
       delivery_id = excluded.delivery_id, updated_at = excluded.updated_at
     WHERE r.attempt IS NULL AND excluded.place > r.place OR excluded.place = r.place AND excluded.attempt > r.attempt
     RETURNING log, lane, place`,
    [
      heads.map(({ log }) => log),
      heads.map(({ lane }) => lane),
      heads.map(({ identity }) => identity.endpointId),
      heads.map(({ place }) => place),
      heads.map(attemptsOf),
      heads.map(({ known }) => (known?.nextAttemptAt === undefined ? null : new Date(known.nextAttemptAt))),
      heads.map(({ identity }) => identity.deliveryId),
    ],
  );
  return new Map(rows.map(({ log, lane, place }) => [`${log} ${lane}`, place]));
}

async function park(tx: Queryable, heads: readonly OpenDelivery[]): Promise<void> {
  await tx.query(
    `INSERT INTO parked_deliveries (log, lane, place, endpoint_id, delivery_id, attempt, header, extra_headers, body,
       reason, parked_at)
     SELECT i.*, 'head', now() FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::int[],
       $7::text[], $8::jsonb[], $9::bytea[])
       AS i (log, lane, place, endpoint_id, delivery_id, attempt, header, extra_headers, body)
     ON CONFLICT DO NOTHING`,
    [
      heads.map(({ log }) => log),
      heads.map(({ lane }) => lane),
      heads.map(({ place }) => place),
      heads.map(({ identity }) => identity.endpointId),
      heads.map(({ identity }) => identity.deliveryId),
      heads.map((head) => attemptsOf(head) - 1),
      heads.map(headerBefore),
      heads.map(({ headers }) => (Object.keys(headers).length === 0 ? null : JSON.stringify(headers))),
      heads.map(({ body }) => body),
    ],
  );
}

/** The packed header that the head had before its last attempt. */
function headerBefore(head: OpenDelivery): string {
  const { identity, replay, place } = head;
  const attempt = attemptsOf(head) - 1;
  return encodeDelivery({
    ...identity,
    attempt,
    replay,
    returned: attempt > 0,
    place,
    dueAt: undefined,
    tierUntil: undefined,
  });
}

/** Attempts made of a head: at least the one after which it began to wait. */
function attemptsOf({ known }: OpenDelivery): number {
  return Math.max(1, known?.attempts ?? 1);
}
