import { MAX_GENERATION } from '../domain/position.js';
import { type GenerationRecord, generationOutRecord, isMarkable } from '../records/generation-record.js';
import type { Queryable } from './database.js';

/** A log of a topic, as PostgreSQL knows it. */
export interface StoredGeneration {
  readonly topic: string;
  readonly generation: number;
  /** Null when it was never known: the log is gone. Empty when the broker gives no id. */
  readonly topicId: string | null;
  readonly partitions: number | null;
  readonly firstSeenAt: Date;
  /** The deliveries that waited in the log before are in PostgreSQL. */
  readonly isCarried: boolean;
}

interface GenerationRow {
  readonly topic: string;
  readonly generation: number;
  readonly topic_id: string | null;
  readonly partitions: number | null;
  readonly first_seen_at: Date;
  readonly carried_at: Date | null;
}

/**
 * A row above the last generation came from a marker that an earlier release did not check. No record has a position of
 * it, so it does not count.
 *
 * @param topics all, when they are left out
 * @returns the latest generation of each topic that has one
 */
export async function latestGenerations(db: Queryable, topics?: readonly string[]): Promise<StoredGeneration[]> {
  const rows = await db.query<GenerationRow>(
    `SELECT DISTINCT ON (topic) topic, generation, topic_id, partitions, first_seen_at, carried_at
     FROM log_generations WHERE ($1::text[] IS NULL OR topic = ANY($1)) AND generation <= ${MAX_GENERATION}
     ORDER BY topic, generation DESC`,
    [topics ?? null],
  );
  return rows.map((row) => ({
    topic: row.topic,
    generation: row.generation,
    topicId: row.topic_id,
    partitions: row.partitions,
    firstSeenAt: row.first_seen_at,
    isCarried: row.carried_at !== null,
  }));
}

/** One process at a time registers generations of a topic; the lock ends with the transaction. */
export async function lockGenerations(tx: Queryable, topic: string): Promise<void> {
  await tx.query(
    `SELECT pg_advisory_xact_lock(hashtextextended('posthorn.generation.' || current_schema() || '.' || $1::text, 0))`,
    [topic],
  );
}

/** A lost log without a known id: all rows that PostgreSQL stored before belong to it. */
export async function insertUnknownGeneration(tx: Queryable, topic: string, generation: number): Promise<void> {
  await tx.query(
    'INSERT INTO log_generations (topic, generation, carried_at) VALUES ($1, $2, now()) ON CONFLICT DO NOTHING',
    [topic, generation],
  );
}

/** Registers the present log of a topic, and enqueues its marker for the topic `endpoints`. */
export async function insertGeneration(tx: Queryable, record: GenerationRecord, isCarried: boolean): Promise<void> {
  const { topic, generation, topic_id: topicId, partitions } = record;
  await tx.query(
    `INSERT INTO log_generations (topic, generation, topic_id, partitions, carried_at)
     VALUES ($1, $2, $3, $4, CASE WHEN $5 THEN now() END)`,
    [topic, generation, topicId, partitions, isCarried],
  );
  await enqueueMarker(tx, record);
}

/** Enqueues the marker of a topic's latest log for the topic `endpoints`, unless it is out of range for readers. */
export async function enqueueMarker(tx: Queryable, record: GenerationRecord): Promise<void> {
  if (!isMarkable(record)) return;
  const marker = generationOutRecord(record);
  await tx.query(
    `WITH owed AS (INSERT INTO outbox (topic, key, value) VALUES ($1, $2, $3) RETURNING 1)
     SELECT pg_notify('posthorn_outbox_' || current_schema(), '') FROM owed`,
    [marker.topic, Buffer.from(marker.key), Buffer.from(marker.value)],
  );
}
