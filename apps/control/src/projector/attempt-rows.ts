import { joinedColumn, timeOf, unnestColumns } from '#common/postgres/array-parameters.js';
import type { Queryable } from '#common/postgres/database.js';
import type { AttemptRecord } from '#common/records/attempt-record.js';
import { toldByDelivery } from './delivered-at-once.js';

const INSERT = `WITH inserted AS (
    INSERT INTO attempts (delivery_id, accepted_at, replay, attempt, at, duration_ms, status_code, error, error_detail,
      outcome, response_body)
    SELECT delivery_id, ${timeOf('accepted_ms')}, replay::int, attempt::int, ${timeOf('at_ms')}, duration_ms::int,
      status_code::int, error, error_detail, outcome, decode(body, 'hex')
    FROM ${unnestColumns(11)} AS i (delivery_id, accepted_ms, replay, attempt, at_ms, duration_ms, status_code, error,
      error_detail, outcome, body)
    ON CONFLICT DO NOTHING RETURNING 1
  ) SELECT count(*) AS inserted FROM inserted`;

/**
 * Stores attempts that are not in the row of their delivery.
 *
 * @param attempts whose text PostgreSQL can hold
 * @returns attempts that were not stored before: after a crash a dispatcher may write the same attempt again
 */
export async function insertAttempts(
  tx: Queryable,
  attempts: readonly AttemptRecord[],
): Promise<readonly AttemptRecord[]> {
  const told = await toldByDelivery(tx, attempts);
  const untold = told.length === 0 ? attempts : attempts.filter((attempt) => !told.includes(attempt));
  if (untold.length === 0) return [];
  const [row] = await tx.query<{ inserted: number }>(INSERT, columnsOf(untold), 'insert-attempts');
  // Returning every row and looking it up here would cost 2 µs each, for a rare case (measured).
  return row?.inserted === untold.length ? untold : insertedNow(tx, untold);
}

function columnsOf(attempts: readonly AttemptRecord[]): string[] {
  return [
    joinedColumn(attempts, ({ delivery_id }) => delivery_id),
    joinedColumn(attempts, ({ accepted_at }) => accepted_at),
    joinedColumn(attempts, ({ replay }) => replay),
    joinedColumn(attempts, ({ attempt }) => attempt),
    joinedColumn(attempts, ({ at }) => at),
    joinedColumn(attempts, ({ duration_ms }) => duration_ms),
    joinedColumn(attempts, ({ status_code }) => status_code),
    joinedColumn(attempts, ({ error }) => error),
    joinedColumn(attempts, ({ error_detail }) => error_detail),
    joinedColumn(attempts, ({ outcome }) => outcome),
    joinedColumn(attempts, ({ response_body }) => response_body?.toString('hex') ?? null),
  ];
}

/** A row has the transaction that inserted it. */
async function insertedNow(tx: Queryable, attempts: readonly AttemptRecord[]): Promise<AttemptRecord[]> {
  const rows = await tx.query<AttemptKey>(
    `SELECT delivery_id, replay, attempt FROM attempts
     WHERE (delivery_id, accepted_at) IN (SELECT id, ${timeOf('accepted_ms')} FROM ${unnestColumns(2)} AS i (id, accepted_ms))
       AND xmin = pg_current_xact_id()::xid`,
    columnsOf(attempts).slice(0, 2),
    'inserted-attempts',
  );
  const unseen = new Set(rows.map(attemptKey));
  return attempts.filter((attempt) => unseen.delete(attemptKey(attempt)));
}

type AttemptKey = Pick<AttemptRecord, 'delivery_id' | 'replay' | 'attempt'>;

function attemptKey({ delivery_id, replay, attempt }: AttemptKey): string {
  return `${delivery_id}/${replay}/${attempt}`;
}
