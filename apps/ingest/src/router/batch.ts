import { parseRfc3339 } from '#common/domain/rfc3339.js';
import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import type { EventToArchive } from '#common/postgres/archived-event.js';
import type { Receiver } from '#common/postgres/delivery-parts.js';
import { messageOf } from '#common/postgres/errors.js';
import { SetAside } from '#common/postgres/persist-batch.js';
import { type AcceptedEvent, DOOR_HEADER, HTTP_DOOR } from '#common/records/event-record.js';
import { ABOUT_HEADER } from '#common/records/operational-event.js';
import { poisonRecord } from '#common/records/poison-record.js';
import type { InRecord, OutRecord } from '#common/records/record.js';
import { recordTrace } from '#common/records/trace-context.js';
import type { Door } from '../metrics.js';
import type { Novelty } from './event-archive.js';
import { fanOut } from './fan-out.js';
import { type EventReading, type Reading, readRecord } from './reading.js';

export interface QueuedRecord {
  readonly log: OwnedLog;
  readonly record: InRecord;
  /** Memory of the record, estimated. */
  readonly bytes: number;
}

export type RoutingResult = 'fresh' | 'redelivered' | 'duplicate' | 'poison' | 'replay' | 'misplaced';

/** One record of a batch, the router's decision on it, and the records to write. */
export interface RoutedRecord extends QueuedRecord {
  readonly door: Door;
  result: RoutingResult;
  /** Records that Kafka must acknowledge before the offset of this one finishes. */
  records: readonly OutRecord[];
}

/** An event whose novelty the archive decides. */
export interface Candidate {
  readonly routed: RoutedRecord;
  readonly archived: EventToArchive;
  readonly endpoints: readonly Receiver[];
}

export interface BatchContext {
  /** Position of a record in `ingest`. */
  readonly positionOf: (queued: QueuedRecord) => number;
  /** The endpoints that take an event. `about`: the endpoint of an operational event. */
  readonly matching: (tenant: string, type: string, about: string | undefined) => readonly Receiver[];
  readonly maxEventBytes: number;
  /** Largest batch that `dlq` takes. */
  readonly maxBatchBytes: number;
  /** ms since the epoch. */
  readonly nowMs: number;
}

/** A parsed batch. `routedRecords` are in the order of the records. */
export interface Batch {
  readonly routedRecords: readonly RoutedRecord[];
  /** Candidates of each archive statement, in order. An id occurs at most once per round. */
  readonly rounds: readonly (readonly Candidate[])[];
}

/**
 * Parses a batch of one or more partitions.
 *
 * A second record with the same id on the same partition is a duplicate. On another partition, a crash may have left
 * either record in the archive. Each of the two therefore gets a round of its own.
 */
export function classifyBatch(queued: readonly QueuedRecord[], context: BatchContext): Batch {
  const rounds: Candidate[][] = [];
  const partitionsOf = new Map<string, number[]>();
  const isoTime = rememberingIsoTime();
  const { maxEventBytes, maxBatchBytes } = context;
  const routedRecords = queued.map((item) => {
    const { log, record } = item;
    const reading = readRecord(record, { partitions: log.partitions, maxEventBytes, maxBatchBytes });
    const routed = routedOf(item, reading, context);
    if (reading.kind !== 'event') return routed;
    const id = `${reading.tenant}\n${reading.event.id}`;
    const partitions = partitionsOf.get(id) ?? [];
    if (partitions.includes(record.partition)) return routed;
    const round = rounds[partitions.length] ?? [];
    rounds[partitions.length] = round;
    round.push(candidateOf(routed, reading, context, isoTime(record.timestamp)));
    partitions.push(record.partition);
    partitionsOf.set(id, partitions);
    return routed;
  });
  return { routedRecords, rounds };
}

/**
 * Applies the archive's answer. Fresh and redelivered events are fanned out; duplicates write no record.
 * An event that PostgreSQL rejects, e.g. for a character its encoding lacks, goes to `dlq`.
 */
export function settle(
  { routed, archived, endpoints }: Candidate,
  novelty: Novelty | SetAside,
  context: BatchContext,
): void {
  if (novelty instanceof SetAside) {
    const detail = `the database cannot store the event: ${messageOf(novelty.error)}`;
    routed.result = 'poison';
    routed.records = [poisonRecord(routed.record, detail, context.nowMs, context.maxBatchBytes)];
    return;
  }
  routed.result = novelty;
  routed.records = novelty === 'duplicate' ? [] : fanOut(archived.event, endpoints, recordTrace(routed.record.headers));
}

function routedOf(queued: QueuedRecord, reading: Reading, context: BatchContext): RoutedRecord {
  const { record } = queued;
  const door = doorOf(record);
  if (reading.kind === 'event') return { ...queued, door, result: 'duplicate', records: [] };
  if (reading.kind !== 'poison') return { ...queued, door, result: reading.kind, records: [reading.out] };
  const poison = poisonRecord(record, reading.detail, context.nowMs, context.maxBatchBytes);
  return { ...queued, door, result: 'poison', records: [poison] };
}

function doorOf({ headers }: InRecord): Door {
  if (headers[ABOUT_HEADER] !== undefined) return 'control';
  return headers[DOOR_HEADER]?.toString() === HTTP_DOOR ? 'http' : 'kafka';
}

/** An event without a time gets the timestamp of its Kafka record, so that a redelivery produces the same event. */
function candidateOf(
  routed: RoutedRecord,
  { event, tenant }: EventReading,
  context: BatchContext,
  kafkaTime: string,
): Candidate {
  const { timestamp, partition, headers } = routed.record;
  const { type, occurredAt } = event;
  const endpoints = context.matching(tenant, type, headers[ABOUT_HEADER]?.toString());
  const occurredAtMs = (occurredAt === undefined ? undefined : parseRfc3339(occurredAt)) ?? timestamp;
  const accepted: AcceptedEvent = {
    ...event,
    tenant,
    occurredAt: occurredAt ?? kafkaTime,
    acceptedAt: timestamp,
    partition,
    position: context.positionOf(routed),
  };
  return { routed, endpoints, archived: { event: accepted, occurredAtMs, endpointIds: endpoints.map(({ id }) => id) } };
}

/**
 * Caches the last result: the broker gives all records of a batch one timestamp, and formatting costs 0.6 µs
 * (measured).
 */
function rememberingIsoTime(): (ms: number) => string {
  let lastMs = Number.NaN;
  let text = '';
  return (ms) => {
    if (ms !== lastMs) text = new Date(ms).toISOString();
    lastMs = ms;
    return text;
  };
}
