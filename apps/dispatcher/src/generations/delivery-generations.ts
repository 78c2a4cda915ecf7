import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { Positions } from '#common/domain/positions.js';
import { TIERS } from '#common/domain/tier.js';
import { Generations } from '#common/generations/generations.js';
import { LogPositions, type TakenLog } from '#common/generations/log-positions.js';
import { TOPIC_IDS, type TopicIds } from '#common/kafka/port/topics.js';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';
import { CarryOver } from './carry-over.js';

const TIER_TOPICS = TIERS.map(({ topic }) => topic);
const TOPICS = [DELIVERIES_TOPIC, ...TIER_TOPICS];
const WATCH_INTERVAL_MS = 2_000;

/**
 * The generation of `deliveries`, with the waiting deliveries of earlier logs. The tiers' generations are registered with it. A dispatcher
 * reads no tier and gets no assignment of one, so it compares the topic ids of the tiers every 2 s.
 */
@Injectable()
export class DeliveryGenerations implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(DeliveryGenerations.name);
  /** By topic: the id of the log that is registered. */
  private registered: ReadonlyMap<string, string> = new Map();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly generations: Generations,
    private readonly carryOver: CarryOver,
    @Inject(LogPositions) private readonly positions: Pick<LogPositions, 'of'>,
    @Inject(TOPIC_IDS) private readonly topics: TopicIds,
  ) {}

  onModuleInit(): void {
    this.timer = setInterval(() => void this.checkTiers(), WATCH_INTERVAL_MS);
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  /** @throws when Kafka or PostgreSQL does not answer */
  async present(): Promise<number> {
    const found = await this.generations.ofAll(TOPICS);
    this.registered = new Map([...found].map(([topic, { topicId }]) => [topic, topicId]));
    return found.get(DELIVERIES_TOPIC)?.number ?? 0;
  }

  /** Of the records of one partition of the present log. @throws when Kafka or PostgreSQL does not answer */
  positionsOf(log: TakenLog, generation: number): Promise<Positions> {
    return this.positions.of(log, generation);
  }

  /** Resolves when the waiting deliveries of a lost log are in PostgreSQL, or the partition is lost. */
  async carriedOver(ended: AbortSignal): Promise<void> {
    await this.carryOver.carriedOver(ended);
  }

  /** Carries over the deliveries of a tier that has another log now. Never rejects: the next check tries again. */
  async checkTiers(): Promise<void> {
    if (!TIER_TOPICS.some((topic) => this.hasAnotherLog(topic))) return;
    try {
      await this.present();
      this.carryOver.start();
    } catch (error) {
      this.logger.warn({ err: error }, 'generation.unknown');
    }
  }

  private hasAnotherLog(topic: string): boolean {
    const registered = this.registered.get(topic);
    const id = this.topics.idOf(topic);
    return registered !== undefined && id !== undefined && id !== registered;
  }
}
