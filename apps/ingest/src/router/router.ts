import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Positions } from '#common/domain/positions.js';
import { OwnedGenerations } from '#common/generations/owned-generations.js';
import type { FencedLog, LogBatch, OwnedLog, OwnershipListener } from '#common/kafka/port/owned-log.js';
import { RECORD_WRITER, type RecordWriter } from '#common/kafka/port/record-writer.js';
import { KAFKA_SETTINGS, type KafkaSettings } from '#common/kafka/port/settings.js';
import { persistBatch, type SetAside } from '#common/postgres/persist-batch.js';
import { maxBatchBytes } from '#common/records/topics.js';
import * as metrics from '../metrics.js';
import { writeAll } from '../writes.js';
import { type BatchContext, type Candidate, type QueuedRecord, readBatch, type Step, settle } from './batch.js';
import { EndpointIndex } from './endpoint-index.js';
import { EventArchive, type Novelty } from './event-archive.js';
import { IngestGenerations } from './ingest-generations.js';
import { RecordQueue } from './record-queue.js';

/** DI token of {@link RouterLimits}. */
export const ROUTER_LIMITS = Symbol('RouterLimits');

export interface RouterLimits {
  readonly maxEventBytes: number;
  /** Bytes of one partition that may wait in memory; beyond it the partition pauses. */
  readonly queueBytes: number;
}

/**
 * Takes the records of `ingest` of all owned partitions, in the order they come, in batches as large as what waits: one
 * statement archives a batch and finds its duplicates, then its deliveries are written. While Kafka writes one batch the
 * statement of the next may run; a batch is written only after the one before it, so each partition keeps its order.
 */
@Injectable()
export class Router implements OwnershipListener {
  private readonly logger = new Logger(Router.name);
  private readonly queue: RecordQueue;
  private readonly generations: OwnedGenerations;
  /** Of the records of each owned log whose generation is known. */
  private readonly positions = new Map<OwnedLog, Positions>();
  /** Of each batch until its deliveries are written, or given up. */
  private readonly underWay = new Set<Promise<void>>();
  private isHolding = false;
  private routing: Promise<void> | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly archive: EventArchive,
    private readonly endpoints: EndpointIndex,
    @Inject(RECORD_WRITER) private readonly producer: RecordWriter,
    @Inject(KAFKA_SETTINGS) private readonly settings: KafkaSettings,
    @Inject(ROUTER_LIMITS) private readonly limits: RouterLimits,
    private readonly logs: IngestGenerations,
  ) {
    this.generations = new OwnedGenerations(logs);
    this.queue = new RecordQueue(limits.queueBytes);
  }

  accept({ log, records }: LogBatch): void {
    this.queue.add(log, records);
    this.wake();
  }

  /**
   * Nothing of the log is read before its generation is known, and with it the positions of its events. A batch of a lost
   * log that is under way ends before its deliveries are looked for.
   */
  onOwned(log: FencedLog): void {
    const ended = Promise.all(this.underWay);
    void this.generations.take(log, async (generation) => {
      await ended;
      await this.logs.complete(log, generation);
      const positions = await this.logs.positionsOf(log, generation);
      await this.logs.completeTail(log, positions);
      if (!log.lost.aborted) this.positions.set(log, positions);
    });
  }

  /** Nothing new is begun; what is under way finishes. A batch that waits for Postgres is left to the next owner. */
  async onRebalancing(): Promise<void> {
    this.isHolding = true;
    await this.routing;
    await this.writing;
  }

  onRebalanced(): void {
    this.isHolding = false;
    this.wake();
  }

  onLost(log: OwnedLog): void {
    this.queue.drop(log);
    this.generations.lose(log);
    this.positions.delete(log);
  }

  private wake(): void {
    if (this.routing !== undefined || this.isHolding || this.queue.isEmpty) return;
    this.routing = this.run()
      .catch((error: Error) => this.settings.onFatal(error))
      .finally(() => {
        this.routing = undefined;
        this.wake();
      });
  }

  private async run(): Promise<void> {
    while (!this.isHolding && !this.queue.isEmpty) {
      const taken = this.queue.take();
      const end = this.begin();
      metrics.batchEvents.observe(taken.length);
      const steps = await this.route(taken);
      if (steps === undefined) {
        this.queue.putBack(taken);
        end();
        return;
      }
      await this.writing;
      this.writing = this.write(steps).finally(end);
    }
  }

  /** @returns to be called when the batch is over */
  private begin(): () => void {
    const stopTimer = metrics.batchSeconds.startTimer();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.underWay.add(promise);
    return () => {
      stopTimer();
      this.underWay.delete(promise);
      resolve();
    };
  }

  /** @returns undefined when ownership changes before the archive has answered */
  private async route(taken: readonly QueuedRecord[]): Promise<readonly Step[] | undefined> {
    const context = this.context();
    const { steps, rounds } = readBatch(taken, context);
    for (const round of rounds) {
      const novelties = await this.store(round, context);
      if (novelties === undefined) return undefined;
      for (const [index, candidate] of round.entries()) settle(candidate, novelties[index] ?? 'fresh', context);
    }
    return steps;
  }

  /** Nothing is skipped: what the database cannot store is a dead letter, and for all else the batch waits. */
  private async store(
    round: readonly Candidate[],
    context: BatchContext,
  ): Promise<readonly (Novelty | SetAside)[] | undefined> {
    const novelties = await persistBatch(round, {
      name: 'archive',
      run: (candidates) => this.archive.store(candidates.map(({ archived }) => archived)),
      rehearse: ({ archived }) => this.archive.rehearse(archived),
      neighbours: () => this.nextCandidates(context),
      isEnded: () => this.isHolding,
      onWait: (error, events) => {
        metrics.databaseAvailable.set(0);
        this.logger.warn({ err: error, events }, 'router.waiting_for_postgres');
      },
      describe: ({ step: { record } }) => ({ partition: record.partition, offset: record.offset }),
    });
    if (novelties !== undefined) metrics.databaseAvailable.set(1);
    return novelties;
  }

  /** Events that wait behind the batch under way. */
  private nextCandidates(context: BatchContext): readonly Candidate[] {
    const taken = this.queue.take();
    this.queue.putBack(taken);
    return readBatch(taken, context).rounds[0] ?? [];
  }

  /**
   * Records of a partition that was lost meanwhile belong to its new owner, who reads them again; those of a lost log, to
   * the owner of the next one ({@link IngestGenerations}).
   */
  private async write(steps: readonly Step[]): Promise<void> {
    const owned = steps.filter(({ log }) => !log.lost.aborted);
    const records = owned.flatMap((step) => step.records);
    try {
      await writeAll(this.producer, records);
      for (const step of owned) {
        step.log.finish(step.record.offset);
        count(step);
      }
    } catch (error) {
      // Their offsets stay unfinished, so whoever owns the partition next reads them again.
      this.logger.error({ err: error, records: records.length }, 'router.write_failed');
    } finally {
      this.queue.release(steps);
    }
  }

  /** @throws Error for a log whose positions are not known: no record of it may have been read */
  private positionsOf(log: OwnedLog): Positions {
    const positions = this.positions.get(log);
    if (positions === undefined) throw new Error(`the positions of ${log.topic}/${log.partition} are not known`);
    return positions;
  }

  private context(): BatchContext {
    const { maxEventBytes } = this.limits;
    return {
      positionOf: ({ log, record }) => this.positionsOf(log).of(record.offset),
      matching: (tenant, type, about) => this.endpoints.matching(tenant, type, about),
      maxEventBytes,
      maxBatchBytes: maxBatchBytes(maxEventBytes),
      nowMs: Date.now(),
    };
  }
}

function count({ outcome, door, records }: Step): void {
  if (outcome === 'fresh' || outcome === 'redelivered') {
    metrics.fannedOut.inc(records.length);
    if (outcome === 'redelivered') metrics.redelivered.inc();
    // What came over HTTP was counted when it was answered.
    else if (door !== 'http') metrics.accepted.inc({ door });
  } else if (outcome === 'poison') {
    metrics.rejected.inc({ door, reason: 'payload_error' });
    metrics.dead.inc({ reason: 'payload_error' });
  } else COUNTERS[outcome].inc();
}

const COUNTERS = { duplicate: metrics.duplicates, replay: metrics.replays, misplaced: metrics.misplaced };
