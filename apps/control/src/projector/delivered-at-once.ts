import { joinedColumn, timeOf, unnestColumns } from '#common/postgres/array-parameters.js';
import type { Queryable } from '#common/postgres/database.js';
import type { AttemptRecord } from '#common/records/attempt-record.js';

/*
 * Nearly every delivery is delivered by its first attempt. Its row then tells of that attempt, too, and no row of
 * `attempts` does: a third of the work of the projection, and of its room.
 */

const INSERT = `WITH inserted AS (
    INSERT INTO deliveries (id, accepted_at, tenant, event_id, event_type, endpoint_id, lane, status, replay, attempts,
      last_status_code, updated_at, first_at, first_duration_ms, first_status_code, first_response_body)
    SELECT id, ${timeOf('accepted_ms')}, tenant, event_id, event_type, endpoint_id, coalesce(lane, ''), 'delivered', 0, 1,
      status_code::int, now(), ${timeOf('at_ms')}, duration_ms::int, status_code::int, decode(body, 'hex')
    FROM ${unnestColumns(11)} AS i (id, accepted_ms, tenant, event_id, event_type, endpoint_id, lane, status_code, at_ms,
      duration_ms, body)
    ON CONFLICT DO NOTHING RETURNING 1
  ) SELECT count(*) AS inserted FROM inserted`;

/** Attempts, split by whether the row of their delivery has them. */
export interface DeliveredAtOnce {
  readonly stored: readonly AttemptRecord[];
  /** In the order in which they came. */
  readonly others: readonly AttemptRecord[];
}

/**
 * Stores deliveries of which nothing is known but that their first attempt delivered them.
 *
 * @param attempts whose text PostgreSQL can hold
 */
export async function insertDeliveredAtOnce(
  tx: Queryable,
  attempts: readonly AttemptRecord[],
): Promise<DeliveredAtOnce> {
  const candidates = attempts.filter(isDeliveredAtOnce);
  const others = attempts.filter((attempt) => !isDeliveredAtOnce(attempt));
  const alsoTold = new Set(others.map(({ delivery_id }) => delivery_id));
  const alone = candidates.filter(({ delivery_id }) => !alsoTold.has(delivery_id)).sort(inKeyOrder);
  if (alone.length === 0) return { stored: [], others: attempts };
  const [row] = await tx.query<{ inserted: number }>(INSERT, columnsOf(alone), 'insert-delivered-at-once');
  if (row?.inserted === attempts.length) return { stored: attempts, others: [] };
  const stored = row?.inserted === alone.length ? alone : await insertedNow(tx, alone);
  const isStored = new Set(stored);
  return { stored, others: attempts.filter((attempt) => !isStored.has(attempt)) };
}

/**
 * @param attempts any
 * @returns attempts that are in the row of their delivery: a dispatcher repeated them after a crash
 */
export async function toldByDelivery(
  tx: Queryable,
  attempts: readonly AttemptRecord[],
): Promise<readonly AttemptRecord[]> {
  const firsts = attempts.filter(({ replay, attempt }) => replay === 0 && attempt === 1);
  if (firsts.length === 0) return [];
  const rows = await deliveriesOf(tx, firsts, 'first_at IS NOT NULL', 'told-by-delivery');
  const ids = new Set(rows.map(({ id }) => id));
  return firsts.filter(({ delivery_id }) => ids.has(delivery_id));
}

function isDeliveredAtOnce({ replay, attempt, outcome, error, error_detail }: AttemptRecord): boolean {
  return replay === 0 && attempt === 1 && outcome === 'delivered' && error === null && error_detail === null;
}

/** A row has the transaction that inserted it. Of attempts of the same delivery, the first was stored. */
async function insertedNow(tx: Queryable, attempts: readonly AttemptRecord[]): Promise<AttemptRecord[]> {
  const rows = await deliveriesOf(tx, attempts, 'xmin = pg_current_xact_id()::xid', 'inserted-at-once');
  const ids = new Set(rows.map(({ id }) => id));
  return attempts.filter(({ delivery_id }) => ids.delete(delivery_id));
}

function deliveriesOf(
  tx: Queryable,
  attempts: readonly AttemptRecord[],
  condition: string,
  name: string,
): Promise<{ id: string }[]> {
  return tx.query<{ id: string }>(
    `SELECT id FROM deliveries
     WHERE (id, accepted_at) IN (SELECT id, ${timeOf('accepted_ms')} FROM ${unnestColumns(2)} AS i (id, accepted_ms))
       AND ${condition}`,
    columnsOf(attempts).slice(0, 2),
    name,
  );
}

/** As `latestStates` orders rows. */
function inKeyOrder(a: AttemptRecord, b: AttemptRecord): number {
  return a.accepted_at - b.accepted_at || (a.delivery_id < b.delivery_id ? -1 : a.delivery_id > b.delivery_id ? 1 : 0);
}

function columnsOf(attempts: readonly AttemptRecord[]): string[] {
  return [
    joinedColumn(attempts, ({ delivery_id }) => delivery_id),
    joinedColumn(attempts, ({ accepted_at }) => accepted_at),
    joinedColumn(attempts, ({ tenant }) => tenant),
    joinedColumn(attempts, ({ event_id }) => event_id),
    joinedColumn(attempts, ({ event_type }) => event_type),
    joinedColumn(attempts, ({ endpoint_id }) => endpoint_id),
    joinedColumn(attempts, ({ lane }) => lane),
    joinedColumn(attempts, ({ status_code }) => status_code),
    joinedColumn(attempts, ({ at }) => at),
    joinedColumn(attempts, ({ duration_ms }) => duration_ms),
    joinedColumn(attempts, ({ response_body }) => response_body?.toString('hex') ?? null),
  ];
}
