import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Positions } from '#common/domain/positions.js';
import { OwnedGenerations } from '#common/generations/owned-generations.js';
import type { FencedLog, LogBatch, OwnedLog, OwnershipListener } from '#common/kafka/port/owned-log.js';
import { RECORD_WRITER, type RecordWriter } from '#common/kafka/port/record-writer.js';
import { KAFKA_SETTINGS, type KafkaSettings } from '#common/kafka/port/settings.js';
import { deadLetters } from '#common/metrics/dead-letters.js';
import { misplacedRecords } from '#common/metrics/misplaced-records.js';
import { replays } from '#common/metrics/replays.js';
import { persistBatch, type SetAside } from '#common/postgres/persist-batch.js';
import { maxBatchBytes } from '#common/records/topics.js';
import * as metrics from '../metrics.js';
import { writeAll } from '../writes.js';
import {
  type BatchContext,
  type Candidate,
  classifyBatch,
  type QueuedRecord,
  type RoutedRecord,
  settle,
} from './batch.js';
import { EndpointIndex } from './endpoint-index.js';
import { EventArchive, type Novelty } from './event-archive.js';
import { IngestGenerations } from './ingest-generations.js';
import { RecordQueue } from './record-queue.js';

/** DI token of {@link RouterLimits}. */
export const ROUTER_LIMITS = Symbol('RouterLimits');

export interface RouterLimits {
  readonly maxEventBytes: number;
  /** Bytes of one partition that may wait in memory; above this limit the partition pauses. */
  readonly queueBytes: number;
}

/**
 * Routes the records of all owned partitions of `ingest` in batches, in the order of arrival. One statement archives a
 * batch and finds its duplicates; then the router writes its deliveries.
 *
 * PostgreSQL may archive a batch while Kafka still stores the deliveries of the previous one. The router writes the
 * deliveries of one batch at a time, so each partition keeps its order.
 */
@Injectable()
export class Router implements OwnershipListener {
  private readonly logger = new Logger(Router.name);
  private readonly queue: RecordQueue;
  private readonly generations: OwnedGenerations;
  /** Positions of the records of each owned log, once its generation is known. */
  private readonly positions = new Map<OwnedLog, Positions>();
  /** One promise per batch in flight; it resolves when the deliveries are written, or the batch is dropped. */
  private readonly underWay = new Set<Promise<void>>();
  private isRebalancing = false;
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
   * The router reads a log only after its generation, and so its positions, are known. If `ingest` was
   * replaced, events of the lost log may lack deliveries. The router searches for them after all batches in flight have ended.
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

  /** Starts no batch, and waits for those in flight. A batch that waits for PostgreSQL returns to the queue. After the rebalance the owner of each partition routes its records. */
  async onRebalancing(): Promise<void> {
    this.isRebalancing = true;
    await this.routing;
    await this.writing;
  }

  onRebalanced(): void {
    this.isRebalancing = false;
    this.wake();
  }

  onLost(log: OwnedLog): void {
    this.queue.drop(log);
    this.generations.lose(log);
    this.positions.delete(log);
  }

  private wake(): void {
    if (this.routing !== undefined || this.isRebalancing || this.queue.isEmpty) return;
    this.routing = this.run()
      .catch((error: Error) => this.settings.onFatal(error))
      .finally(() => {
        this.routing = undefined;
        this.wake();
      });
  }

  private async run(): Promise<void> {
    while (!this.isRebalancing && !this.queue.isEmpty) {
      const taken = this.queue.take();
      const end = this.begin();
      metrics.batchEvents.observe(taken.length);
      const routedRecords = await this.route(taken);
      if (routedRecords === undefined) {
        this.queue.putBack(taken);
        end();
        return;
      }
      await this.writing;
      this.writing = this.write(routedRecords).finally(end);
    }
  }

  /** Registers a batch in flight. @returns function that ends it */
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
  private async route(taken: readonly QueuedRecord[]): Promise<readonly RoutedRecord[] | undefined> {
    const context = this.context();
    const { routedRecords, rounds } = classifyBatch(taken, context);
    for (const round of rounds) {
      const novelties = await this.store(round, context);
      if (novelties === undefined) return undefined;
      for (const [index, candidate] of round.entries()) settle(candidate, novelties[index] ?? 'fresh', context);
    }
    return routedRecords;
  }

  /** Archives one statement's candidates. Rejected events become dead letters; after other errors the batch waits. */
  private async store(
    round: readonly Candidate[],
    context: BatchContext,
  ): Promise<readonly (Novelty | SetAside)[] | undefined> {
    return persistBatch(round, {
      name: 'archive',
      run: (candidates) => this.archive.store(candidates.map(({ archived }) => archived)),
      rehearse: ({ archived }) => this.archive.rehearse(archived),
      neighbours: () => this.nextCandidates(context),
      isEnded: () => this.isRebalancing,
      onWait: (error, events) => this.logger.warn({ err: error, events }, 'router.waiting_for_postgres'),
      describe: ({ routed: { record } }) => ({ partition: record.partition, offset: record.offset }),
    });
  }

  /** Candidates of the next batch in the queue. A rehearsal of one shows whether PostgreSQL rejects only the failed event. */
  private nextCandidates(context: BatchContext): readonly Candidate[] {
    const taken = this.queue.take();
    this.queue.putBack(taken);
    return classifyBatch(taken, context).rounds[0] ?? [];
  }

  /**
   * Writes the records of a batch. It leaves out partitions that this process lost after it took the batch. Their new owner
   * reads those records again.
   * For a lost log, the owner of the next log makes their deliveries ({@link IngestGenerations}).
   */
  private async write(routedRecords: readonly RoutedRecord[]): Promise<void> {
    const owned = routedRecords.filter(({ log }) => !log.lost.aborted);
    const records = owned.flatMap((routed) => routed.records);
    try {
      await writeAll(this.producer, records);
      for (const routed of owned) {
        routed.log.finish(routed.record.offset);
        recordMetrics(routed);
      }
    } catch (error) {
      // The offsets of the batch stay unfinished. The next owner of the partition reads its records again.
      this.logger.error({ err: error, records: records.length }, 'router.write_failed');
    } finally {
      this.queue.release(routedRecords);
    }
  }

  /** @throws Error for a log whose positions are unknown: the router must not have read its records */
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

function recordMetrics({ result, door, records }: RoutedRecord): void {
  if (result === 'fresh' || result === 'redelivered') {
    metrics.fannedOut.inc(records.length);
    if (result === 'redelivered') metrics.redelivered.inc();
    // The API counted events of the HTTP door with their 202.
    else if (door !== 'http') metrics.accepted.inc({ door });
  } else if (result === 'poison') {
    metrics.rejected.inc({ door, reason: 'payload_error' });
    deadLetters.inc({ reason: 'payload_error' });
  } else COUNTERS[result].inc();
}

const COUNTERS = { duplicate: metrics.duplicates, replay: replays, misplaced: misplacedRecords };
