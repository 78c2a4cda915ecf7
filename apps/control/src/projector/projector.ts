import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Generations } from '#common/generations/generations.js';
import { OwnedGenerations } from '#common/generations/owned-generations.js';
import { setAsideRecords } from '#common/kafka/port/metrics.js';
import type { LogBatch, OwnedLog, OwnershipListener, PassedOffsets } from '#common/kafka/port/owned-log.js';
import { persistBatch, SetAside } from '#common/postgres/persist-batch.js';
import type { AttemptRecord } from '#common/records/attempt-record.js';
import type { InRecord } from '#common/records/record.js';
import { atMost, delay } from '#common/timing/timing.js';
import { Wake } from '../shared/wake.js';
import {
  breakerOpenings,
  endpointDeliveries,
  endpointLabel,
  endpointLastSuccess,
  exposeProjectorLag,
  projectedAttempts,
  projectedDeadLetters,
  rejectedRecords,
} from './metrics.js';
import { PassedLogs } from './passed-logs.js';
import { type BatchLogs, type LogGenerations, type Projected, ProjectionWriter } from './projection-writer.js';

interface Waiting {
  readonly log: OwnedLog;
  readonly record: InRecord;
  /** The offset after the previous record read, or where reading began or continued behind lost records. */
  readonly readFrom: number;
}

const MAX_BATCH = 1_000;
/**
 * A batch with fewer records waits `GATHER_MS` for more. Each transaction costs 1 to 2 ms of CPU, in this process
 * and PostgreSQL together. With 50 records, that is half of the cost of the batch (measured).
 */
const GOOD_BATCH = 400;
const GATHER_MS = 50;
const MAX_BATCH_BYTES = 4 * 1_048_576;
/** If the waiting records of all partitions exceed this, the partition of the newest batch pauses. Paused partitions resume below half of it. */
const MAX_WAITING_BYTES = 8 * 1_048_576;
/** Framing and headers of a record, roughly. */
const RECORD_OVERHEAD_BYTES = 500;
const STOP_MS = 3_000;
/** Pause before the projector repeats a failed write of passed offsets, which hold no record. */
const PASS_RETRY_MS = 1_000;

/**
 * Writes the projection of `attempts` and `dlq`. Records wait in memory, and the projector writes them in batches, one
 * after the other. While PostgreSQL is away, records gather in memory, and partitions pause at `MAX_WAITING_BYTES`.
 */
@Injectable()
export class Projector implements OwnershipListener, OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(Projector.name);
  private readonly wake = new Wake();
  private readonly paused = new Set<OwnedLog>();
  private waiting: Waiting[] = [];
  private waitingBytes = 0;
  private whenIdle: (() => void)[] = [];
  private isStopping = false;
  private running: Promise<void> = Promise.resolve();

  private readonly generations: OwnedGenerations;
  private readonly passed: PassedLogs;

  constructor(
    private readonly writer: ProjectionWriter,
    generations: Generations,
  ) {
    this.generations = new OwnedGenerations(generations);
    this.passed = new PassedLogs(writer, this.generations);
    exposeProjectorLag(() => this.waiting[0]?.record.timestamp);
  }

  onApplicationBootstrap(): void {
    this.running = this.run();
  }

  /** The consumer has stopped before this hook. It waited a bounded time for the projector to write the records in memory. */
  async onApplicationShutdown(): Promise<void> {
    this.isStopping = true;
    this.wake.call();
    await atMost(STOP_MS, this.running);
  }

  take({ log, records, after }: LogBatch): void {
    let readFrom = after;
    for (const record of records) {
      this.waiting.push({ log, record, readFrom });
      readFrom = record.offset + 1;
      this.waitingBytes += bytesOf(record);
    }
    if (this.waitingBytes > MAX_WAITING_BYTES) {
      this.paused.add(log);
      log.pause();
    }
    this.wake.call();
  }

  onPassed(log: OwnedLog, offsets: PassedOffsets): void {
    this.passed.note(log, offsets);
    if (this.passed.size > 0) this.wake.call();
  }

  /** Keeps the log paused until its generation is known. A stored offset is valid only within its own generation. */
  onOwned(log: OwnedLog): void {
    void this.generations.take(log);
  }

  /** Waits until the records in memory are written: the next owner then repeats none. The consumer limits the wait. */
  async onRebalancing(): Promise<void> {
    if (!this.isIdle) await new Promise<void>((resolve) => this.whenIdle.push(resolve));
  }

  onLost(log: OwnedLog): void {
    this.paused.delete(log);
    this.passed.lose(log);
    this.generations.lose(log);
    this.keep((entry) => entry.log !== log);
  }

  private get isIdle(): boolean {
    return this.waiting.length === 0 && this.passed.size === 0;
  }

  private async run(): Promise<void> {
    while (!this.isStopping) {
      if (this.isIdle) await this.wake.wait();
      if (this.waiting.length < GOOD_BATCH) await delay(GATHER_MS);
      if (this.waiting.length > 0) await this.writeSome();
      if (this.passed.size > 0) await this.storePassed();
    }
  }

  private async storePassed(): Promise<void> {
    const isWritten = (log: OwnedLog) => !this.waiting.some((entry) => entry.log === log);
    if (!(await this.passed.store(isWritten))) await delay(PASS_RETRY_MS);
    this.noteIdle();
  }

  private async writeSome(): Promise<void> {
    const batch = this.nextBatch();
    const results = await this.persist(batch, breaksOf(batch));
    if (results === undefined) return;
    for (const [index, { log, record }] of batch.entries()) {
      const result = results[index];
      if (result instanceof SetAside) await this.leaveOut(log, record, result);
      log.finish(record.offset);
    }
    const written = new Set(batch);
    this.keep((entry) => !written.has(entry));
    if (this.waitingBytes < MAX_WAITING_BYTES / 2) this.resumeAll();
  }

  private nextBatch(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { record } of this.waiting) {
      bytes += bytesOf(record);
      if (count > 0 && (count >= MAX_BATCH || bytes > MAX_BATCH_BYTES)) break;
      count++;
    }
    return this.waiting.slice(0, count);
  }

  /**
   * Stores the batch, and waits while PostgreSQL is away. A record that PostgreSQL cannot store is set aside.
   *
   * @returns undefined when the projector stops first; the caller must then finish none of the offsets
   */
  private persist(
    batch: readonly Waiting[],
    readFrom: BatchLogs['readFrom'],
  ): Promise<readonly (undefined | SetAside)[] | undefined> {
    return persistBatch<Waiting, undefined>(batch, {
      name: 'projection',
      run: (entries) => this.write(entries, readFrom),
      rehearse: ({ record }) => this.writer.rehearse(record),
      neighbours: () => this.waiting.slice(batch.length, batch.length + MAX_BATCH),
      isEnded: () => this.isStopping,
      onWait: (error, records) => this.logger.warn({ err: error, records }, 'projector.waiting_for_postgres'),
      describe: ({ record: { topic, partition, offset } }) => ({ topic, partition, offset }),
    });
  }

  /** Writes only records of partitions that this process still owns. The new owner writes the others. */
  private async write(entries: readonly Waiting[], readFrom: BatchLogs['readFrom']): Promise<undefined[]> {
    const owned = entries.filter(({ log }) => !log.lost.aborted);
    if (owned.length > 0) {
      const records = owned.map(({ record }) => record);
      this.noteProjected(await this.writer.write(records, { generations: this.generationsOf(owned), readFrom }));
    }
    return entries.map(() => undefined);
  }

  private generationsOf(batch: readonly Waiting[]): LogGenerations {
    const logs = new Set(batch.map(({ log }) => log));
    return new Map([...logs].map((log) => [`${log.topic}/${log.partition}`, this.generations.of(log)]));
  }

  private noteProjected(projected: Projected): void {
    countProjected(projected);
    for (const { record, problem } of projected.rejected) this.reject(record, { reason: problem });
  }

  /** Stores the offset after a record that was set aside, so that the projector does not count it as a gap. */
  private async leaveOut(log: OwnedLog, record: InRecord, { error, why }: SetAside): Promise<void> {
    this.reject(record, { err: error, reason: why });
    const { topic, partition, offset } = record;
    const generations = new Map([[`${topic}/${partition}`, this.generations.of(log)]]);
    await this.writer.skip(record, generations).catch((err: unknown) => {
      this.logger.warn({ err, topic, partition, offset }, 'projector.set_aside_not_stored');
    });
  }

  /** The record stays in its topic. The log line has its partition and offset. */
  private reject({ topic, partition, offset }: InRecord, why: { reason: string; err?: unknown }): void {
    rejectedRecords.inc({ topic });
    setAsideRecords.inc({ topic });
    this.logger.error({ ...why, topic, partition, offset }, 'projector.record_rejected');
  }

  private keep(isKept: (entry: Waiting) => boolean): void {
    this.waiting = this.waiting.filter(isKept);
    this.waitingBytes = this.waiting.reduce((sum, { record }) => sum + bytesOf(record), 0);
    this.noteIdle();
  }

  private noteIdle(): void {
    if (this.isIdle) for (const resolve of this.whenIdle.splice(0)) resolve();
  }

  private resumeAll(): void {
    for (const log of this.paused) log.resume();
    this.paused.clear();
  }
}

/**
 * The records that do not continue the previous record of the batch, with the offsets their reading began at: the
 * first record of each log, and the first record behind lost ones.
 */
function breaksOf(batch: readonly Waiting[]): Map<InRecord, number> {
  const ends = new Map<OwnedLog, number>();
  const breaks = new Map<InRecord, number>();
  for (const { log, record, readFrom } of batch) {
    if (ends.get(log) !== readFrom) breaks.set(record, readFrom);
    ends.set(log, record.offset + 1);
  }
  return breaks;
}

function bytesOf({ value }: InRecord): number {
  return (value?.length ?? 0) + RECORD_OVERHEAD_BYTES;
}

function countProjected({ attempts, deadLetters, breakerChanges }: Projected): void {
  breakerOpenings.inc(breakerChanges.filter(({ to }) => to.state === 'open').length);
  // Each counter is raised once for a batch, because finding a counter by its labels is the expensive part.
  for (const [outcome, ofOne] of Map.groupBy(attempts, (attempt) => attempt.outcome)) {
    projectedAttempts.inc({ outcome }, ofOne.length);
  }
  for (const [endpointId, ofOne] of Map.groupBy(attempts, (attempt) => attempt.endpoint_id)) {
    countEnded(endpointLabel.of(endpointId), ofOne);
  }
  for (const { deadLetter } of deadLetters) projectedDeadLetters.inc({ reason: deadLetter.reason });
}

function countEnded(endpoint: string, attempts: readonly AttemptRecord[]): void {
  const delivered = attempts.filter(({ outcome }) => outcome === 'delivered');
  const dead = attempts.filter(({ outcome }) => outcome === 'dead');
  const last = delivered.at(-1);
  if (last) endpointLastSuccess.set({ endpoint }, last.at / 1_000);
  if (delivered.length > 0) endpointDeliveries.inc({ endpoint, outcome: 'delivered' }, delivered.length);
  if (dead.length > 0) endpointDeliveries.inc({ endpoint, outcome: 'dead' }, dead.length);
}
