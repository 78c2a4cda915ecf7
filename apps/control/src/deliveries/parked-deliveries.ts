import type { Queryable } from '#common/postgres/database.js';
import { Conditions } from '../shared/conditions.js';
import type { FoundDelivery, Search } from './found-delivery.js';

/** The facts of a delivery are in its packed header, in this order (records/delivery-record.ts). */
const FACT = (field: number) => `split_part(p.header, E'\\n', ${field})`;
const EVENT_ID = FACT(3);
const TENANT = FACT(5);
const EVENT_TYPE = FACT(6);
/** A malformed row, which the owner of its lane will set aside, must not fail the list. */
const NUMBER = (field: number, most: number) =>
  `CASE WHEN ${FACT(field)} ~ '^[0-9]{1,${most}}$' THEN ${FACT(field)} END`;
const REPLAY = `coalesce((${NUMBER(8, 9)})::int, 0)`;
const ACCEPTED_AT = `coalesce(to_timestamp((${NUMBER(9, 15)})::float8 / 1000), p.parked_at)`;

/** Deliveries with a parked row. Without an endpoint all rows are read: there are only as many as wait. */
export async function parkedDeliveries(db: Queryable, search: Search): Promise<FoundDelivery[]> {
  const conditions = new Conditions()
    .add('endpoint_id = ?', search.endpoint_id)
    .add('tenant = ?', search.tenant)
    .add('event_id = ?', search.event_id)
    .add('event_type = ?', search.type)
    .add('accepted_at >= ?', search.since)
    .add('accepted_at < ?', search.until)
    .add('(accepted_at, id) < (?, ?)', search.before?.at, search.before?.key[0]);
  return db.query<FoundDelivery>(
    `SELECT DISTINCT ON (accepted_at, id) * FROM (
       SELECT p.delivery_id AS id, ${ACCEPTED_AT} AS accepted_at, ${TENANT} AS tenant, ${EVENT_ID} AS event_id,
         ${EVENT_TYPE} AS event_type, p.endpoint_id, 'parked' AS status, ${REPLAY} AS replay, NULL AS dead_reason,
         NULL::timestamptz AS next_attempt_at
       FROM parked_deliveries p
     ) p WHERE ${conditions.sql} AND NOT EXISTS (
       SELECT FROM deliveries d WHERE d.id = p.id AND d.accepted_at = p.accepted_at
         AND d.status IN ('dead', 'delivered') AND d.replay >= p.replay
     ) ORDER BY accepted_at DESC, id DESC LIMIT ${conditions.param(search.limit)}`,
    conditions.params,
  );
}

/** The same deliveries; those with a parked row of their present life, or of a later one, as `parked`. */
export async function markParked(db: Queryable, deliveries: readonly FoundDelivery[]): Promise<FoundDelivery[]> {
  if (deliveries.length === 0) return [];
  const rows = await db.query<{ delivery_id: string; replay: number }>(
    `SELECT p.delivery_id, max(${REPLAY}) AS replay FROM parked_deliveries p
     WHERE p.delivery_id = ANY($1) GROUP BY p.delivery_id`,
    [deliveries.map(({ id }) => id)],
  );
  const parkedLife = new Map(rows.map(({ delivery_id, replay }) => [delivery_id, replay]));
  return deliveries.map((delivery) => {
    const life = parkedLife.get(delivery.id);
    const isOver = delivery.status === 'delivered' || delivery.status === 'dead';
    if (life === undefined || life < delivery.replay || (isOver && life === delivery.replay)) return delivery;
    return { ...delivery, status: 'parked', replay: life, dead_reason: null, next_attempt_at: null };
  });
}
