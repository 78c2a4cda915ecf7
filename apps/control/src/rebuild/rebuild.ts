import { finishedOffsets } from '#common/kafka/finished-offsets.js';
import { readLogRange } from '#common/kafka/log-range.js';
import type { InRecord } from '#common/kafka/record.js';
import { type KafkaSettings, partitionsOf } from '#common/kafka/settings.js';
import { topicLogs } from '#common/kafka/topic-logs.js';
import type { Database } from '#common/postgres/database.js';
import { latestGenerations } from '#common/postgres/generation-store.js';
import { ATTEMPTS_TOPIC, DELIVERIES_TOPIC, DLQ_TOPIC, INGEST_TOPIC } from '#common/records/topics.js';
import { readEventRow, storeEvents } from './event-rows.js';
import { readFanOut, stageFanOut } from './fan-out-records.js';
import { restoreAttempts, restoreDeadLetters } from './outcome-records.js';
import { RebuildSession } from './session.js';
import { sendUnfinished, type UnfinishedSummary } from './unfinished.js';
import { type VoidRows, voidEnded } from './void-rows.js';

export interface RebuildOptions {
  readonly kafka: KafkaSettings;
  readonly database: Database;
  /** ms since the epoch. */
  readonly sinceMs: number;
  readonly maxEventBytes: number;
  /** Reads and compares, and changes nothing. */
  readonly isDryRun: boolean;
  /** Called after each part of a topic. */
  readonly onProgress: (progress: RebuildProgress) => void;
}

export interface RebuildProgress {
  readonly topic: string;
  readonly read: number;
  /** Of those, what the database lacked. For `deliveries`: those without an outcome. */
  readonly lacking: number;
}

export interface RebuildSummary extends UnfinishedSummary {
  readonly topics: readonly RebuildProgress[];
  readonly voided: VoidRows;
}

/** Records that one statement takes. */
const PAGE = 500;

/**
 * Brings back what a restored database lacks, from the topics: outcomes, dead letters, events, and deliveries without an
 * outcome. Idempotent; runs beside live traffic.
 *
 * The commits are read first. An outcome is in `attempts` or `dlq` before its record is finished, so a record that is
 * finished by these commits and has no outcome afterwards waited in the database that was lost.
 *
 * @throws Error when another rebuild is under way, or the apps have not yet seen which logs Kafka has
 */
export async function rebuild(options: RebuildOptions): Promise<RebuildSummary> {
  const { kafka, database, isDryRun, maxEventBytes, sinceMs } = options;
  const routed = await finishedOffsets(kafka, 'router', INGEST_TOPIC);
  const dispatched = await finishedOffsets(kafka, 'dispatcher', DELIVERIES_TOPIC);
  const generations = await generationsOf(database, kafka);
  const session = await RebuildSession.open(database, isDryRun);
  const read = (topic: string, take: (records: readonly InRecord[]) => Promise<number>) =>
    readTopic(options, topic, take);
  try {
    const attempts = await read(ATTEMPTS_TOPIC, (page) => restoreAttempts(session, page));
    const deadLetters = await read(DLQ_TOPIC, (page) => restoreDeadLetters(session, page));
    await session.analyze();
    const reading = { generation: generations.deliveries, finished: dispatched };
    const deliveries = await read(DELIVERIES_TOPIC, (page) =>
      stageFanOut(
        session,
        page.flatMap((record) => readFanOut(record, reading) ?? []),
      ),
    );
    await session.analyze();
    const partitions = partitionsOf(kafka, INGEST_TOPIC);
    const limits = { partitions, maxEventBytes, generation: generations.ingest, finished: routed };
    const events = await read(INGEST_TOPIC, (page) =>
      storeEvents(
        session,
        page.flatMap((record) => readEventRow(record, limits) ?? []),
        isDryRun,
      ),
    );
    const voided = await voidEnded(session);
    const unfinished = await sendUnfinished(session);
    if (!isDryRun) {
      await forgetStaged(session);
      await forgetGaps(session, sinceMs);
    }
    return { topics: [attempts, deadLetters, deliveries, events], voided, ...unfinished };
  } finally {
    await session.close();
  }
}

/** Positions in the database are numbered by the generations that it knows: they must be those of Kafka's logs. */
async function generationsOf(
  database: Database,
  kafka: KafkaSettings,
): Promise<{ ingest: number; deliveries: number }> {
  const logs = await topicLogs(kafka, [INGEST_TOPIC, DELIVERIES_TOPIC]);
  const known = new Map((await latestGenerations(database, [...logs.keys()])).map((row) => [row.topic, row]));
  const numberOf = (topic: string) => {
    const row = known.get(topic);
    if (row === undefined || row.topicId !== logs.get(topic)?.topicId)
      throw new Error(`the database does not know the log of ${topic} yet: start the apps first`);
    return row.generation;
  };
  return { ingest: numberOf(INGEST_TOPIC), deliveries: numberOf(DELIVERIES_TOPIC) };
}

async function readTopic(
  { kafka, sinceMs, onProgress }: RebuildOptions,
  topic: string,
  take: (records: readonly InRecord[]) => Promise<number>,
): Promise<RebuildProgress> {
  let progress: RebuildProgress = { topic, read: 0, lacking: 0 };
  await readLogRange(kafka, { topic, sinceMs }, async (records) => {
    for (let start = 0; start < records.length; start += PAGE) {
      const page = records.slice(start, start + PAGE);
      const lacking = await take(page);
      progress = { topic, read: progress.read + page.length, lacking: progress.lacking + lacking };
    }
    onProgress(progress);
  });
  return progress;
}

/** The rows of what was sent stay: a second rebuild must not send it again. */
async function forgetStaged(session: RebuildSession): Promise<void> {
  await session.query('DELETE FROM rebuild_deliveries WHERE sent_at IS NULL');
}

/** What the projector missed is read now, as far as the rebuild went back. */
async function forgetGaps(session: RebuildSession, sinceMs: number): Promise<void> {
  await session.query('DELETE FROM projector_gaps WHERE since >= $1', [new Date(sinceMs)]);
}
