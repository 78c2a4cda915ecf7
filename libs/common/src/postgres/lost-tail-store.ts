import { MAX_GENERATION } from '../domain/position.js';
import { presentTails } from '../domain/positions.js';
import type { LostTailRecord } from '../records/generation-record.js';
import type { Queryable } from './database.js';

/** A log, as `log_generations` numbers it. */
export interface NumberedLog {
  readonly topic: string;
  readonly generation: number;
}

/** A tail that a partition of a log lost, and the generation of the records written there afterwards. */
export interface StoredLostTail {
  readonly partition: number;
  readonly fromOffset: number;
  readonly generation: number;
  /** Highest leader epoch of the records read before, from the commit. */
  readonly leaderEpoch: number | undefined;
}

interface LostTailRow {
  readonly partition: number;
  readonly from_offset: number;
  readonly generation: number;
  readonly leader_epoch: number | null;
}

/** @returns those whose records are still in the log, of all partitions */
export async function lostTails(db: Queryable, { topic, generation }: NumberedLog): Promise<StoredLostTail[]> {
  const rows = await db.query<LostTailRow>(
    `SELECT partition, from_offset, generation, leader_epoch FROM lost_tails
     WHERE topic = $1 AND log_generation = $2 AND generation <= ${MAX_GENERATION}`,
    [topic, generation],
  );
  const byPartition = Map.groupBy(rows.map(fromRow), ({ partition }) => partition);
  return [...byPartition.values()].flatMap(presentTails);
}

/** @returns the highest generation of all tails that logs of the topic lost; -1 when none did */
export async function highestLostTail(db: Queryable, topic: string): Promise<number> {
  const [row] = await db.query<{ generation: number | null }>(
    `SELECT max(generation) AS generation FROM lost_tails WHERE topic = $1 AND generation <= ${MAX_GENERATION}`,
    [topic],
  );
  return row?.generation ?? -1;
}

/**
 * The generation of a log or tail that is new.
 *
 * @param highest that is known of the topic, tails left out
 * @throws RangeError when the topic has had its last generation
 */
export async function nextGeneration(tx: Queryable, topic: string, highest: number): Promise<number> {
  const next = 1 + Math.max(highest, await highestLostTail(tx, topic));
  if (next <= MAX_GENERATION) return next;
  throw new RangeError(`${topic} has had ${MAX_GENERATION} generations, the last one there is: see docs/operating.md`);
}

/** Tails that are stored already stay as they are. */
export async function storeLostTails(
  tx: Queryable,
  { topic, generation }: NumberedLog,
  tails: readonly StoredLostTail[],
): Promise<void> {
  await tx.query(
    `INSERT INTO lost_tails (topic, log_generation, partition, from_offset, generation, leader_epoch)
     SELECT $1, $2, i.* FROM unnest($3::int[], $4::bigint[], $5::int[], $6::int[]) AS i
     ON CONFLICT DO NOTHING`,
    [
      topic,
      generation,
      tails.map(({ partition }) => partition),
      tails.map(({ fromOffset }) => fromOffset),
      tails.map((tail) => tail.generation),
      tails.map(({ leaderEpoch }) => leaderEpoch ?? null),
    ],
  );
}

/** As the marker of the log's generation has it. */
export function toRecord({ partition, fromOffset, generation, leaderEpoch }: StoredLostTail): LostTailRecord {
  return { partition, from_offset: fromOffset, generation, leader_epoch: leaderEpoch ?? null };
}

export function fromRow({ partition, from_offset, generation, leader_epoch }: LostTailRow): StoredLostTail {
  return { partition, fromOffset: from_offset, generation, leaderEpoch: leader_epoch ?? undefined };
}
