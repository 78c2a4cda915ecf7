import { Injectable } from '@nestjs/common';
import type { PassedOffsets } from '#common/kafka/port/owned-log.js';
import { listOf } from '#common/postgres/array-parameters.js';
import { Database, type Queryable } from '#common/postgres/database.js';
import type { AttemptRecord } from '#common/records/attempt-record.js';
import type { InRecord } from '#common/records/record.js';
import { ATTEMPTS_TOPIC } from '#common/records/topics.js';
import type { BreakerChange } from '../breakers/run-breaker.js';
import { disableGone } from '../endpoints/endpoint.repository.js';
import { announceEndpoint } from '../endpoints/endpoint-announcement.js';
import { recordHealth } from '../health/health-recorder.js';
import { type DeadDelivery, publishDeadDeliveries, publishEndpointEvent } from '../outbox/operational-events.js';
import { audit } from '../shared/audit.js';
import { noteGaps, type ProjectorGap } from './gaps.js';
import { storeOutcomes } from './outcome-rows.js';
import { type ProjectedDeadLetter, projectAttempts, projectDeadLetter, type RejectedRecord } from './projection.js';

/** By `topic/partition`: the generation of the log; 0 for those left out. */
export type LogGenerations = ReadonlyMap<string, number>;

/** Positions and generations of the logs of a batch. */
export interface BatchLogs {
  readonly generations: LogGenerations;
  /**
   * By record: the offset from which on the log holds no other record before it. An entry is missing where the record continues the
   * previous one of its log in the batch.
   */
  readonly readFrom: ReadonlyMap<InRecord, number>;
}

const UNKNOWN_LOGS: BatchLogs = { generations: new Map(), readFrom: new Map() };

/** Offsets that were read after the last record of a log. They hold no record. */
export interface LogPassage extends PassedOffsets {
  readonly topic: string;
  readonly partition: number;
  readonly generation: number;
}

/** Results of a batch, for metrics. */
export interface Projected {
  readonly attempts: readonly AttemptRecord[];
  readonly deadLetters: readonly ProjectedDeadLetter[];
  readonly breakerChanges: readonly BreakerChange[];
  /** Records of `attempts` that are malformed. Their offsets are stored like those of all others. */
  readonly rejected: readonly RejectedRecord[];
}

/** Writes records of `attempts` and `dlq` to the tables: each exactly once, with its offset in the same transaction. */
@Injectable()
export class ProjectionWriter {
  constructor(private readonly database: Database) {}

  /**
   * @param records of any partitions, each partition's in order
   * @param logs those of the records
   * @returns the new records, without those projected before
   * @throws PostgreSQL's errors; then nothing of the batch is stored
   */
  async write(records: readonly InRecord[], logs = UNKNOWN_LOGS): Promise<Projected> {
    return this.database.transaction(async (tx) =>
      project(tx, await withoutRepeats(tx, records, logs), logs.generations),
    );
  }

  /** Rehearses the projection of a record, also of one projected before. PostgreSQL rolls the transaction back. @throws as `write` does */
  async rehearse(record: InRecord): Promise<void> {
    await this.database.rehearse((tx) => project(tx, [record], new Map()));
  }

  /** Goes on behind a record that cannot be projected: it is no gap. */
  async skip(record: InRecord, generations: LogGenerations): Promise<void> {
    await this.database.transaction((tx) => advanceOffsets(tx, [record], generations));
  }

  /**
   * Stores offsets that hold no record as passed. If an earlier record is missing, the stored offset stays. A part of them may be
   * stored already: a fetch can end between an aborted batch and its control record.
   */
  async pass(passages: readonly LogPassage[]): Promise<void> {
    await this.database.query(
      `UPDATE projector_offsets AS o SET next_offset = p.next
       FROM unnest($1::text[], $2::int[], $3::int[], $4::bigint[], $5::bigint[]) AS p (topic, part, generation, after, next)
       WHERE o.topic = p.topic AND o.partition = p.part AND o.generation = p.generation
         AND o.next_offset >= p.after AND o.next_offset < p.next`,
      [
        passages.map(({ topic }) => topic),
        passages.map(({ partition }) => partition),
        passages.map(({ generation }) => generation),
        passages.map(({ after }) => after),
        passages.map(({ next }) => next),
      ],
      'projector-pass',
    );
  }
}

async function project(tx: Queryable, fresh: readonly InRecord[], generations: LogGenerations): Promise<Projected> {
  const { attempts, rejected } = projectAttempts(fresh.filter(({ topic }) => topic === ATTEMPTS_TOPIC));
  const deadLetters = fresh.filter(({ topic }) => topic !== ATTEMPTS_TOPIC).map(projectDeadLetter);
  const unseen = await storeOutcomes(tx, attempts, deadLetters);
  const breakerChanges = await recordHealth(tx, attempts, unseen);
  await disableEndpoints(tx, attempts);
  await publishDeadDeliveries(tx, deadLetters.flatMap(deadDelivery));
  await advanceOffsets(tx, fresh, generations);
  return { attempts, deadLetters, breakerChanges, rejected };
}

/**
 * Leaves out records that an earlier transaction stored: its commit to Kafka failed, or its outcome was unknown. A
 * stored offset counts only within its generation. Within it, a record below the stored offset with a later timestamp than the
 * last stored record is new: the log lost its tail.
 */
async function withoutRepeats(
  tx: Queryable,
  records: readonly InRecord[],
  { generations, readFrom }: BatchLogs,
): Promise<InRecord[]> {
  const byLog = Map.groupBy(records, ({ topic, partition }) => `${topic}/${partition}`);
  const firsts = [...byLog.values()].flatMap(([first]) => first ?? []);
  const rows = await tx.query<OffsetRow>(
    `SELECT * FROM projector_offsets
     WHERE (topic, partition) IN (SELECT * FROM unnest(${listOf('$1', 'text')}, ${listOf('$2', 'int')}))
     ORDER BY topic, partition FOR UPDATE`,
    [firsts.map(({ topic }) => topic), firsts.map(({ partition }) => partition)],
    'projector-offsets',
  );
  for (const row of rows) {
    const log = `${row.topic}/${row.partition}`;
    // A log of an older generation than the stored one writes nothing.
    const generationsAhead = (generations.get(log) ?? 0) - row.generation;
    const ofLog = byLog.get(log) ?? [];
    if (generationsAhead === 0) await noteGaps(tx, gapsIn(ofLog, row, readFrom));
    if (generationsAhead < 0) byLog.delete(log);
    else if (generationsAhead === 0)
      byLog.set(
        log,
        ofLog.filter((record) => isNew(record, row)),
      );
  }
  return [...byLog.values()].flat();
}

interface OffsetRow {
  readonly topic: string;
  readonly partition: number;
  readonly generation: number;
  readonly next_offset: number;
  readonly last_timestamp: Date;
}

/**
 * Offsets between those stored and those read. Offsets that were read and hold no record are no gap: transactions leave
 * them.
 */
function gapsIn(records: readonly InRecord[], stored: OffsetRow, readFrom: BatchLogs['readFrom']): ProjectorGap[] {
  const { topic, partition, last_timestamp: since } = stored;
  const gaps: ProjectorGap[] = [];
  let end = stored.next_offset;
  for (const record of records) {
    const toOffset = readFrom.get(record) ?? end;
    if (toOffset > end) gaps.push({ topic, partition, fromOffset: end, toOffset, since });
    end = Math.max(end, record.offset + 1);
  }
  return gaps;
}

function isNew({ offset, timestamp }: InRecord, stored: OffsetRow): boolean {
  return offset >= stored.next_offset || timestamp > stored.last_timestamp.getTime();
}

async function advanceOffsets(tx: Queryable, records: readonly InRecord[], generations: LogGenerations): Promise<void> {
  const last = new Map(records.map((record) => [`${record.topic}/${record.partition}`, record]));
  const rows = [...last.values()];
  if (rows.length === 0) return;
  await tx.query(
    `INSERT INTO projector_offsets (topic, partition, next_offset, last_timestamp, generation)
     SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::timestamptz[], $5::int[])
     ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset,
       last_timestamp = excluded.last_timestamp, generation = excluded.generation`,
    [
      rows.map(({ topic }) => topic),
      rows.map(({ partition }) => partition),
      rows.map(({ offset }) => offset + 1),
      rows.map(({ timestamp }) => new Date(timestamp)),
      rows.map(({ topic, partition }) => generations.get(`${topic}/${partition}`) ?? 0),
    ],
    'projector-advance',
  );
}

/** A 410 means: never again. The services learn it from the endpoint's configuration. */
async function disableEndpoints(tx: Queryable, attempts: readonly AttemptRecord[]): Promise<void> {
  const gone = attempts.filter(({ gone }) => gone);
  if (gone.length === 0) return;
  const asked = gone.map(({ endpoint_id, at }) => ({ endpointId: endpoint_id, at: new Date(at) }));
  for (const id of await disableGone(tx, asked)) {
    const endpoint = await announceEndpoint(tx, id);
    const tenant = endpoint?.tenant ?? null;
    await audit(tx, { actor: 'system', tenant, action: 'endpoint.disabled', subject: id, detail: { reason: 'gone' } });
    if (endpoint) await publishEndpointEvent(tx, 'endpoint.disabled', endpoint, { reason: 'gone' });
  }
}

function deadDelivery({ deadLetter, delivery }: ProjectedDeadLetter): DeadDelivery[] {
  if (delivery === undefined) return [];
  return [
    {
      deadLetterId: deadLetter.id,
      deliveryId: delivery.id,
      replay: delivery.replay,
      attempts: delivery.attempts,
      tenant: delivery.tenant,
      endpointId: delivery.endpoint_id,
      eventId: delivery.event_id,
      eventType: delivery.event_type,
      reason: deadLetter.reason,
      detail: deadLetter.detail,
      lastStatusCode: deadLetter.last_status_code,
      lastError: deadLetter.last_error,
      deadAt: deadLetter.dead_at,
    },
  ];
}
