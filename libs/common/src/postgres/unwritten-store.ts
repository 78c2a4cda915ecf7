import { INGEST_TOPIC } from '../records/topics.js';
import type { Queryable } from './database.js';

/** Partitions of a log of `ingest` whose predecessor's deliveries are known to be in `deliveries` are listed in `carry`. */
const IS_OPEN = `topic = '${INGEST_TOPIC}' AND generation = $1 AND carried_at IS NULL
  AND NOT coalesce(carry, '[]') @> to_jsonb($2::int)`;

/** @returns whether deliveries of a lost log's events may be missing from `deliveries` */
export async function mayLackDeliveries(db: Queryable, generation: number, partition: number): Promise<boolean> {
  const rows = await db.query(`SELECT 1 AS open FROM log_generations WHERE ${IS_OPEN}`, [generation, partition]);
  return rows.length > 0;
}

/** Notes that nothing is missing. @param partitions that the topic has: after the last one the whole log is carried over */
export async function noteDeliveriesComplete(
  db: Queryable,
  generation: number,
  partition: number,
  partitions: number,
): Promise<void> {
  await db.query(
    `UPDATE log_generations SET carry = coalesce(carry, '[]') || to_jsonb($2::int),
       carried_at = CASE WHEN jsonb_array_length(coalesce(carry, '[]')) + 1 >= $3::int THEN now() END
     WHERE ${IS_OPEN}`,
    [generation, partition, partitions],
  );
}

/** A lost tail of `ingest`, by the generation of the records written there afterwards. */
const TAIL = `topic = '${INGEST_TOPIC}' AND generation = $1`;

/** @returns whether deliveries of the events in this lost tail may be missing from `deliveries` */
export async function mayTailLackDeliveries(db: Queryable, generation: number): Promise<boolean> {
  const rows = await db.query(`SELECT 1 AS open FROM lost_tails WHERE ${TAIL} AND fanned_out_at IS NULL`, [generation]);
  return rows.length > 0;
}

export async function noteTailComplete(db: Queryable, generation: number): Promise<void> {
  await db.query(`UPDATE lost_tails SET fanned_out_at = now() WHERE ${TAIL}`, [generation]);
}

/** @returns when the last event up to this position of a partition of `ingest` was accepted, ms; undefined without one */
export async function acceptedUpTo(db: Queryable, partition: number, position: number): Promise<number | undefined> {
  const [row] = await db.query<{ accepted_at: Date }>(
    `SELECT accepted_at FROM events WHERE source_partition = $1 AND source_offset <= $2
     ORDER BY accepted_at DESC LIMIT 1`,
    [partition, position],
  );
  return row?.accepted_at.getTime();
}
