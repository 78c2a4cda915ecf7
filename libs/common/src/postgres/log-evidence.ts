import { offsetOf, positionOf } from '../domain/position.js';
import { Positions } from '../domain/positions.js';
import { ATTEMPTS_TOPIC, DELIVERIES_TOPIC, DLQ_TOPIC, INGEST_TOPIC } from '../records/topics.js';
import type { Queryable } from './database.js';
import { lostTails, type NumberedLog } from './lost-tail-store.js';

/** Evidence in PostgreSQL of one record of a partition. */
export interface LogEvidence {
  readonly partition: number;
  /** As it was stored: of generation 0 where nothing else was known. Not of a delivery that was carried over. */
  readonly position: number;
  /** The record was appended at this time or before, ms since the epoch. */
  readonly atMs: number;
}

interface EvidenceRow {
  readonly partition: number;
  readonly position: number;
  readonly at: Date;
}

const SPAN = positionOf(1, 0);

/** By topic: the highest stored position of each partition. Each is looked for where an index finds it. */
const HIGHEST: Readonly<Record<string, string>> = {
  [INGEST_TOPIC]: `SELECT DISTINCT ON (source_partition) source_partition AS partition, source_offset AS position,
      accepted_at AS at
    FROM (SELECT source_partition, source_offset, accepted_at FROM events WHERE source_offset IS NOT NULL
          ORDER BY accepted_at DESC LIMIT 1000) AS latest
    ORDER BY source_partition, source_offset DESC`,
  [DELIVERIES_TOPIC]: `SELECT split_part(l.log, '/', 2)::int AS partition, highest.place AS position, highest.at
    FROM lane_logs l CROSS JOIN LATERAL (
      (SELECT place, updated_at AS at FROM lane_rows r WHERE r.log = l.log AND place % ${SPAN} < ${SPAN / 2}
       ORDER BY place DESC LIMIT 1)
      UNION ALL
      (SELECT place, parked_at FROM parked_deliveries p WHERE p.log = l.log AND place % ${SPAN} < ${SPAN / 2}
       ORDER BY place DESC LIMIT 1)
    ) AS highest`,
  [ATTEMPTS_TOPIC]: projected(ATTEMPTS_TOPIC),
  [DLQ_TOPIC]: projected(DLQ_TOPIC),
};

function projected(topic: string): string {
  return `SELECT partition, generation * ${SPAN} + next_offset - 1 AS position, last_timestamp AS at
    FROM projector_offsets WHERE topic = '${topic}' AND next_offset > 0`;
}

/** @returns by partition, of whatever generation; none for a topic of which PostgreSQL stores no offsets */
export async function highestPositions(db: Queryable, topic: string): Promise<LogEvidence[]> {
  const sql = HIGHEST[topic];
  if (sql === undefined) return [];
  const rows = await db.query<EvidenceRow>(sql);
  return rows.map(({ partition, position, at }) => ({ partition, position, atMs: at.getTime() }));
}

/** @returns as {@link highestPositions}, without those whose records are not in this log: it is another one, or lost them */
export async function logEvidence(db: Queryable, log: NumberedLog): Promise<LogEvidence[]> {
  const highest = await highestPositions(db, log.topic);
  if (highest.length === 0) return [];
  const tails = await lostTails(db, log);
  return highest.filter(({ partition, position }) => {
    const ofPartition = tails.filter((tail) => tail.partition === partition);
    return new Positions(log.generation, ofPartition).of(offsetOf(position)) === position;
  });
}
