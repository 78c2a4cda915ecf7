import { Positions } from '#common/domain/positions.js';
import type { KafkaClient } from '#common/kafka/port/kafka-client.js';
import { partitionsOf } from '#common/kafka/port/settings.js';
import type { IsFinished } from '#common/kafka/port/topics.js';
import type { Database } from '#common/postgres/database.js';
import { latestGenerations } from '#common/postgres/generation-store.js';
import { lostTails } from '#common/postgres/lost-tail-store.js';
import type { InRecord } from '#common/records/record.js';
import { ATTEMPTS_TOPIC, DELIVERIES_TOPIC, DLQ_TOPIC, INGEST_TOPIC } from '#common/records/topics.js';
import { readEventRow, storeEvents } from './event-rows.js';
import { type PositionsOf, readFanOut, stageAppended, stageFanOut } from './fan-out-records.js';
import { LaneOwners } from './lane-owners.js';
import { restoreAttempts, restoreDeadLetters } from './outcome-records.js';
import { overtakenLanes, untilPublished } from './overtaken.js';
import { RebuildSession } from './session.js';
import { sendUnfinished, type Unfinished } from './unfinished.js';
import { type VoidRows, voidEnded } from './void-rows.js';
import { noteWaiting } from './waiting.js';

export interface RebuildOptions {
  readonly kafka: KafkaClient;
  readonly database: Database;
  /** When the backup was begun, ms since the epoch. The topics are read from ten minutes before. */
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
  /** Of those, the ones that the database lacked. For `deliveries`: those without an outcome. */
  readonly lacking: number;
}

export interface RebuildSummary extends Unfinished {
  readonly topics: readonly RebuildProgress[];
  readonly voided: VoidRows;
  /** Lanes in which a later delivery went before one that waited; at most 1000. */
  readonly overtaken: readonly string[];
}

/** Records that one statement takes. */
const PAGE = 500;
/** Work in flight when the backup began had not reached the database, and is older than the backup. */
const UNDER_WAY_MS = 10 * 60_000;
/** Between the database and the brokers. */
const CLOCKS_DIFFER_MS = 60_000;

/**
 * Brings the missing rows of a restored database back from the topics: outcomes, dead letters, events, and deliveries without an
 * outcome. Idempotent; runs beside live traffic.
 *
 * The commits are read first, then waiting rows of the database, then outcomes. An outcome is in `attempts` or `dlq` before
 * its record is finished and before its row goes. So a record that is finished by these commits, and has neither a row nor
 * an outcome, waited in the database that was lost.
 *
 * @throws Error when another rebuild runs, or the apps have not registered Kafka's present logs yet
 */
export async function rebuild(options: RebuildOptions): Promise<RebuildSummary> {
  const { kafka, database, isDryRun } = options;
  const finished = {
    ingest: await kafka.finishedOffsets('router', INGEST_TOPIC),
    deliveries: await kafka.finishedOffsets('dispatcher', DELIVERIES_TOPIC),
  };
  const positions = await positionsOf(database, kafka);
  const owners = new LaneOwners(await kafka.hasMembers('dispatcher'));
  const session = await RebuildSession.open(database, isDryRun);
  try {
    await noteWaiting(session);
    const topics = await readTopics(session, options, { finished, positions });
    const voided = await voidEnded(session, owners);
    const unfinished = await sendUnfinished(session, owners);
    if (!isDryRun) await readAppended(session, options, { positionsOf: positions.deliveries });
    const overtaken = await overtakenLanes(session);
    if (!isDryRun) {
      await forgetStaged(session);
      await forgetGaps(session, options.sinceMs);
    }
    return { topics, voided, ...unfinished, overtaken };
  } finally {
    await session.close();
  }
}

interface KnownLogs {
  readonly finished: Readonly<Record<'ingest' | 'deliveries', ReadonlyMap<number, IsFinished>>>;
  readonly positions: Readonly<Record<'ingest' | 'deliveries', PositionsOf>>;
}

/** Outcomes first: they say of which records of `deliveries` the bodies are kept. */
async function readTopics(
  session: RebuildSession,
  options: RebuildOptions,
  { finished, positions }: KnownLogs,
): Promise<RebuildProgress[]> {
  const { kafka, isDryRun, maxEventBytes } = options;
  const attempts = await readTopic(options, ATTEMPTS_TOPIC, (page) => restoreAttempts(session, page));
  const deadLetters = await readTopic(options, DLQ_TOPIC, (page) => restoreDeadLetters(session, page));
  await session.analyze();
  const reading = { positionsOf: positions.deliveries, finished: finished.deliveries };
  const deliveries = await readTopic(options, DELIVERIES_TOPIC, (page) =>
    stageFanOut(
      session,
      page.flatMap((record) => readFanOut(record, reading) ?? []),
    ),
  );
  await session.analyze();
  const partitions = partitionsOf(kafka.settings, INGEST_TOPIC);
  const limits = { partitions, maxEventBytes, positionsOf: positions.ingest, finished: finished.ingest };
  const events = await readTopic(options, INGEST_TOPIC, (page) =>
    storeEvents(
      session,
      page.flatMap((record) => readEventRow(record, limits) ?? []),
      isDryRun,
    ),
  );
  return [attempts, deadLetters, deliveries, events];
}

/** Records that came to `deliveries` during the rebuild: among them the repeated ones, and those before them. */
async function readAppended(
  session: RebuildSession,
  { kafka }: RebuildOptions,
  { positionsOf }: { positionsOf: PositionsOf },
): Promise<void> {
  await untilPublished(session);
  const sinceMs = session.startedAt.getTime() - CLOCKS_DIFFER_MS;
  await kafka.readRange({ topic: DELIVERIES_TOPIC, sinceMs }, async (records) => {
    for (let start = 0; start < records.length; start += PAGE) {
      const page = records.slice(start, start + PAGE);
      await stageAppended(
        session,
        page.flatMap((record) => readFanOut(record, { positionsOf, finished: new Map() }) ?? []),
      );
    }
  });
}

/** Positions in the database are numbered by the generations that it knows: they must be those of Kafka's logs. */
async function positionsOf(
  database: Database,
  kafka: KafkaClient,
): Promise<{ ingest: PositionsOf; deliveries: PositionsOf }> {
  const logs = await kafka.topicLogs([INGEST_TOPIC, DELIVERIES_TOPIC]);
  const known = new Map((await latestGenerations(database, [...logs.keys()])).map((row) => [row.topic, row]));
  const ofTopic = async (topic: string): Promise<PositionsOf> => {
    const row = known.get(topic);
    if (row === undefined || row.topicId !== logs.get(topic)?.topicId)
      throw new Error(`the database does not know the log of ${topic} yet: start the apps first`);
    const tails = Map.groupBy(await lostTails(database, row), ({ partition }) => partition);
    return (partition) => new Positions(row.generation, tails.get(partition));
  };
  return { ingest: await ofTopic(INGEST_TOPIC), deliveries: await ofTopic(DELIVERIES_TOPIC) };
}

async function readTopic(
  { kafka, sinceMs, onProgress }: RebuildOptions,
  topic: string,
  take: (records: readonly InRecord[]) => Promise<number>,
): Promise<RebuildProgress> {
  let progress: RebuildProgress = { topic, read: 0, lacking: 0 };
  await kafka.readRange({ topic, sinceMs: sinceMs - UNDER_WAY_MS }, async (records) => {
    for (let start = 0; start < records.length; start += PAGE) {
      const page = records.slice(start, start + PAGE);
      const lacking = await take(page);
      progress = { topic, read: progress.read + page.length, lacking: progress.lacking + lacking };
    }
    onProgress(progress);
  });
  return progress;
}

/** The rows of sent deliveries stay: a second rebuild must not send them again. */
async function forgetStaged(session: RebuildSession): Promise<void> {
  await session.query('DELETE FROM rebuild_deliveries WHERE sent_at IS NULL');
}

/** The rebuild has read all records of a gap that begins after its first record. */
async function forgetGaps(session: RebuildSession, sinceMs: number): Promise<void> {
  await session.query('DELETE FROM projector_gaps WHERE since >= $1', [new Date(sinceMs - UNDER_WAY_MS)]);
}
