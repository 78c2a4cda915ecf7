import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { LogBatch, OwnedLog, OwnershipListener } from '#common/kafka/port.js';
import type { InRecord } from '#common/kafka/record.js';
import { atMost, delay } from '#common/kafka/timing.js';
import { isUnavailable } from '#common/postgres/errors.js';
import type { AttemptRecord } from '#common/records/attempt-record.js';
import {
  breakerOpenings,
  endpointDeliveries,
  endpointLabel,
  endpointLastSuccess,
  exposeProjectorLag,
  projectedAttempts,
  projectedDeadLetters,
  rejectedRecords,
} from '../metrics.js';
import { Wake } from '../wake.js';
import { type Projected, ProjectionWriter } from './projection-writer.js';

interface Waiting {
  readonly log: OwnedLog;
  readonly record: InRecord;
}

const MAX_BATCH = 1_000;
/**
 * Fewer records than this wait a moment for others. A transaction costs a millisecond or two of CPU, here and in
 * PostgreSQL together, whatever it writes: for 50 records that is as much as all the rest (measured).
 */
const GOOD_BATCH = 400;
const GATHER_MS = 50;
const MAX_BATCH_BYTES = 4 * 1_048_576;
/** Beyond this the partitions pause; they resume when half is written. */
const MAX_WAITING_BYTES = 8 * 1_048_576;
/** Framing and headers of a record, roughly. */
const RECORD_OVERHEAD_BYTES = 500;
const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 2_000;
const STOP_MS = 3_000;

/**
 * Brings `attempts` and `dlq` into the tables. Records wait in memory and are written in batches, one after the other;
 * while PostgreSQL is away their partitions pause, and go on by themselves when it is back.
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

  constructor(@Inject(ProjectionWriter) private readonly writer: ProjectionWriter) {
    exposeProjectorLag(() => this.waiting[0]?.record.timestamp);
  }

  onApplicationBootstrap(): void {
    this.running = this.run();
  }

  /** The consumer has stopped by now, and waited for what was read to be written. */
  async onApplicationShutdown(): Promise<void> {
    this.isStopping = true;
    this.wake.call();
    await atMost(STOP_MS, this.running);
  }

  take({ log, records }: LogBatch): void {
    for (const record of records) {
      this.waiting.push({ log, record });
      this.waitingBytes += bytesOf(record);
    }
    if (this.waitingBytes > MAX_WAITING_BYTES) {
      this.paused.add(log);
      log.pause();
    }
    this.wake.call();
  }

  /** What was read is written first, as far as the port waits for it: its next owner then repeats nothing. */
  async onRebalancing(): Promise<void> {
    if (this.waiting.length > 0) await new Promise<void>((resolve) => this.whenIdle.push(resolve));
  }

  onLost(log: OwnedLog): void {
    this.paused.delete(log);
    this.keep((entry) => entry.log !== log);
  }

  private async run(): Promise<void> {
    while (!this.isStopping) {
      if (this.waiting.length === 0) await this.wake.wait();
      if (this.waiting.length < GOOD_BATCH) await delay(GATHER_MS);
      if (this.waiting.length > 0) await this.writeSome();
    }
  }

  private async writeSome(): Promise<void> {
    const batch = this.nextBatch();
    if (!(await this.writeUntilDone(batch))) return;
    for (const { log, record } of batch) log.finish(record.offset);
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
   * Waits for the database as long as it takes. A batch it refuses is written record by record, to single out the bad one.
   *
   * @returns false when stopped before; nothing of the batch may be finished then
   */
  private async writeUntilDone(batch: readonly Waiting[]): Promise<boolean> {
    for (let waitMs = MIN_RETRY_MS; !this.isStopping; waitMs = Math.min(waitMs * 2, MAX_RETRY_MS)) {
      const owned = batch.filter(({ log }) => !log.lost.aborted);
      if (owned.length === 0) return true;
      try {
        countProjected(await this.writer.write(owned.map(({ record }) => record)));
        return true;
      } catch (error) {
        if (!isUnavailable(error)) return this.writeOneByOne(owned, error);
        this.logger.warn({ err: error, records: owned.length }, 'projector.waiting_for_postgres');
        await delay(waitMs);
      }
    }
    return false;
  }

  private async writeOneByOne(batch: readonly Waiting[], error: unknown): Promise<boolean> {
    const [first, ...others] = batch;
    if (first === undefined) return true;
    if (others.length > 0) {
      for (const entry of batch) if (!(await this.writeUntilDone([entry]))) return false;
      return true;
    }
    const { topic, partition, offset } = first.record;
    rejectedRecords.inc({ topic });
    this.logger.error({ err: error, topic, partition, offset }, 'projector.record_rejected');
    const onError = (err: unknown) => this.logger.warn({ err, topic, partition, offset }, 'projector.not_skipped');
    await this.writer.skip(first.record).catch(onError);
    return true;
  }

  private keep(isKept: (entry: Waiting) => boolean): void {
    this.waiting = this.waiting.filter(isKept);
    this.waitingBytes = this.waiting.reduce((sum, { record }) => sum + bytesOf(record), 0);
    if (this.waiting.length === 0) for (const resolve of this.whenIdle.splice(0)) resolve();
  }

  private resumeAll(): void {
    for (const log of this.paused) log.resume();
    this.paused.clear();
  }
}

function bytesOf({ value }: InRecord): number {
  return (value?.length ?? 0) + RECORD_OVERHEAD_BYTES;
}

function countProjected({ attempts, deadLetters, breakerChanges }: Projected): void {
  breakerOpenings.inc(breakerChanges.filter(({ to }) => to.state === 'open').length);
  // Once for each outcome and endpoint of a batch: what costs is to find a counter by its labels.
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
