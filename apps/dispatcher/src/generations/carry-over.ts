import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { TIERS } from '#common/domain/tier.js';
import { KAFKA_CLIENT, type KafkaClient } from '#common/kafka/port/kafka-client.js';
import { RECORD_WRITER, type RecordWriter } from '#common/kafka/port/record-writer.js';
import { partitionsOf } from '#common/kafka/port/settings.js';
import type { LogBoundsReader } from '#common/kafka/port/topics.js';
import {
  areEventsSettled,
  type CarryState,
  type CarryWork,
  carryWork,
  fenceOwnersBefore,
  lockCarry,
  storeCarry,
} from '#common/postgres/carry-store.js';
import { Database, type Queryable } from '#common/postgres/database.js';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';
import { carryPage } from './carry-page.js';
import { isLogNew } from './carry-plan.js';
import * as metrics from './metrics.js';

const TOPICS = [DELIVERIES_TOPIC, ...TIERS.map(({ topic }) => topic)];
const POLL_MS = 200;
const RETRY_MS = 1_000;
const PROGRESS_MS = 5_000;
const DAY_MS = 86_400_000;
/** A delivery that waited longer for its first attempt had left `deliveries` by retention. */
const LOG_DAYS = 8;
/** Outcomes that are known to Kafka and not yet to PostgreSQL would be sent again. */
const PROJECTOR_WAIT_MS = 15_000;
/** Clocks of brokers and of PostgreSQL differ by less. Events archived within it may be sent twice. */
const CLOCKS_MS = 1_000;
const NO_LANE = { log: '', lane: '' };

/**
 * After a new log of `deliveries` or of a tier: waiting deliveries of PostgreSQL are parked, or enter their tier again. It
 * is done in pages, each committed with its cursor; several processes take turns. Owners of the new log wait for it.
 */
@Injectable()
export class CarryOver implements OnModuleDestroy {
  private readonly logger = new Logger(CarryOver.name);
  private running: Promise<void> | undefined;
  private isStopping = false;
  private reportedAt = 0;

  constructor(
    @Inject(KAFKA_CLIENT) private readonly kafka: KafkaClient,
    private readonly database: Database,
    @Inject(RECORD_WRITER) private readonly producer: RecordWriter,
  ) {}

  onModuleDestroy(): void {
    this.isStopping = true;
  }

  /** Resolves when owners of the present log of `deliveries` may begin. Stages without effect on order continue afterwards. */
  async carriedOver(ended: AbortSignal): Promise<void> {
    while (!ended.aborted) {
      const work = await carryWork(this.database, TOPICS);
      if (work.length > 0) this.start();
      if (!work.some(({ topic, isCarried }) => topic === DELIVERIES_TOPIC && !isCarried)) return;
      await sleep(POLL_MS);
    }
  }

  /** Carries over all remaining work. Does nothing while a run is in progress. */
  start(): void {
    this.running ??= this.run().finally(() => {
      this.running = undefined;
    });
  }

  private async run(): Promise<void> {
    while (!this.isStopping) {
      try {
        const work = await carryWork(this.database, TOPICS);
        const [lead] = work;
        if (lead === undefined) return;
        if (!(await this.onePage(lead, work))) await sleep(POLL_MS);
      } catch (error) {
        this.logger.warn({ err: error }, 'carry.interrupted');
        await sleep(RETRY_MS);
      }
    }
  }

  /** @returns false when another process is at it, or the next page must wait */
  private async onePage(lead: CarryWork, work: readonly CarryWork[]): Promise<boolean> {
    const first = lead.state ?? (await this.begin(lead, work));
    return this.database.transaction(async (tx) => {
      const locked = await lockCarry(tx, lead);
      if (locked === undefined) return false;
      const state = locked.state ?? first;
      if (state.stage === 'events' && !(await areEventsSettled(tx, state))) return false;
      if (locked.state === null && isLogNew(state)) await fenceOwnersBefore(tx, DELIVERIES_TOPIC, lead.firstSeenAt);
      const next = await carryPage(tx, this.producer, lead, state);
      await storeCarry(tx, lead, next);
      this.report(lead, state, next);
      return true;
    });
  }

  private async begin(lead: CarryWork, work: readonly CarryWork[]): Promise<CarryState> {
    const topics = work.filter(({ isCarried }) => !isCarried).map(({ topic }) => topic);
    this.logger.warn({ topics, generation: lead.generation }, 'carry.begins');
    return this.kafka.withLogBounds(async (bounds) => {
      await this.awaitProjector(bounds);
      const nowMs = Date.now();
      const since: Record<string, number> = {};
      for (const topic of topics) since[topic] = (await bounds.oldestRecordAt(topic, nowMs)) ?? nowMs;
      const olderThanMs = nowMs - LOG_DAYS * DAY_MS;
      const partitions = partitionsOf(this.kafka.settings, DELIVERIES_TOPIC);
      return {
        stage: 'rehome',
        topics,
        since,
        untilMs: nowMs + DAY_MS,
        archivedBeforeMs: Math.min(since[DELIVERIES_TOPIC] ?? nowMs, nowMs) + CLOCKS_MS,
        partitions,
        olderThanMs,
        lane: NO_LANE,
        event: [olderThanMs, -2, -2, '', ''],
        ordinal: 0,
        counts: { moved: 0, heads: 0, parked: 0, waiting: 0, lost: 0 },
      };
    });
  }

  private async awaitProjector(bounds: LogBoundsReader): Promise<void> {
    for (const deadline = Date.now() + PROJECTOR_WAIT_MS; Date.now() < deadline; await sleep(POLL_MS)) {
      if (await isProjected(this.database, bounds)) return;
    }
    this.logger.warn('carry.outcomes_missing');
  }

  private report(lead: CarryWork, { stage, topics, counts }: CarryState, next: CarryState | null): void {
    const isDone = next === null || next.stage !== stage;
    const after = next?.counts ?? counts;
    metrics.countCarried(counts, after);
    if (!isDone && Date.now() - this.reportedAt < PROGRESS_MS) return;
    this.reportedAt = Date.now();
    this.logger.warn(
      { topics, generation: lead.generation, stage, ...after },
      isDone ? 'carry.stage_done' : 'carry.progress',
    );
  }
}

const PROJECTED_TOPICS = ['attempts', 'dlq'];

/** Whether all outcomes that Kafka has are in PostgreSQL. */
async function isProjected(db: Queryable, bounds: LogBoundsReader): Promise<boolean> {
  const rows = await db.query<{ topic: string; partition: number; next_offset: number }>(
    'SELECT topic, partition, next_offset FROM projector_offsets',
  );
  const next = new Map(rows.map((row) => [`${row.topic}/${row.partition}`, row.next_offset]));
  for (const topic of PROJECTED_TOPICS) {
    for (const { partition, low, high } of await bounds.of(topic)) {
      if (high > low && (next.get(`${topic}/${partition}`) ?? 0) < high) return false;
    }
  }
  return true;
}
