import type { Queryable } from '#common/postgres/database.js';
import type { AttemptRecord } from '#common/records/attempt-record.js';
import { insertAttempts } from './attempt-rows.js';
import { insertDeliveredAtOnce } from './delivered-at-once.js';
import { upsertDeliveries } from './delivery-rows.js';
import {
  type DeadLetterRow,
  type DeliveryRow,
  latestStates,
  type ProjectedDeadLetter,
  stateAfter,
} from './projection.js';

/**
 * Stores attempts and dead letters, and the states in which they leave their deliveries. Idempotent: outcomes that are
 * stored already change nothing.
 *
 * @param attempts whose text PostgreSQL can hold
 * @returns the attempts that were not stored before
 */
export async function storeOutcomes(
  tx: Queryable,
  attempts: readonly AttemptRecord[],
  deadLetters: readonly ProjectedDeadLetter[],
): Promise<ReadonlySet<AttemptRecord>> {
  const { stored, others } = await insertDeliveredAtOnce(tx, attempts);
  const states = [...others.map(stateAfter), ...deadLetters.flatMap(({ delivery }) => delivery ?? [])];
  const unseen = new Set([...stored, ...(await insertAttempts(tx, others))]);
  await upsertDeliveries(tx, latestStates(states));
  await insertDeadLetters(
    tx,
    deadLetters.map(({ deadLetter }) => deadLetter),
  );
  await markReplayed(tx, states);
  return unseen;
}

const DEAD_LETTER_COLUMNS = {
  id: 'text',
  reason: 'text',
  detail: 'text',
  last_status_code: 'int',
  last_error: 'text',
  dead_at: 'timestamptz',
  source: 'text',
  dlq_partition: 'int',
  dlq_offset: 'bigint',
  tenant: 'text',
  endpoint_id: 'text',
  event_id: 'text',
  event_type: 'text',
  delivery_id: 'text',
  accepted_at: 'timestamptz',
  replay: 'int',
  key: 'bytea',
  value: 'bytea',
  headers: 'jsonb',
} as const satisfies Record<keyof DeadLetterRow, string>;

async function insertDeadLetters(tx: Queryable, rows: readonly DeadLetterRow[]): Promise<void> {
  if (rows.length === 0) return;
  const columns = Object.keys(DEAD_LETTER_COLUMNS) as (keyof DeadLetterRow)[];
  const arrays = columns.map((column, index) => `$${index + 1}::${DEAD_LETTER_COLUMNS[column]}[]`);
  await tx.query(
    `INSERT INTO dead_letters (${columns.join(', ')}) SELECT * FROM unnest(${arrays.join(', ')}) ON CONFLICT DO NOTHING`,
    columns.map((column) => rows.map((row) => row[column])),
    'insert-dead-letters',
  );
}

/** A later life of its delivery shows that a dead letter was replayed, by any means. */
async function markReplayed(tx: Queryable, states: readonly DeliveryRow[]): Promise<void> {
  const replays = states.filter(({ replay }) => replay > 0);
  if (replays.length === 0) return;
  await tx.query(
    `UPDATE dead_letters l SET replayed_at = now()
     FROM (SELECT delivery_id, max(replay) AS replay FROM unnest($1::text[], $2::int[]) AS r(delivery_id, replay)
           GROUP BY 1) r
     WHERE l.delivery_id = r.delivery_id AND l.replay < r.replay AND l.replayed_at IS NULL`,
    [replays.map(({ id }) => id), replays.map(({ replay }) => replay)],
  );
}
