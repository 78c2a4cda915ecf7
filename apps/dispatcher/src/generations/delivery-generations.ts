import { Inject, Injectable } from '@nestjs/common';
import { TIERS } from '#common/domain/tier.js';
import { Generations } from '#common/generations/generations.js';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';
import { CarryOver } from './carry-over.js';

const TOPICS = [DELIVERIES_TOPIC, ...TIERS.map(({ topic }) => topic)];

/** The generation of `deliveries`, with what waited in the logs before it. The tiers' are registered with it. */
@Injectable()
export class DeliveryGenerations {
  constructor(
    @Inject(Generations) private readonly generations: Generations,
    @Inject(CarryOver) private readonly carryOver: CarryOver,
  ) {}

  /** @throws when Kafka or PostgreSQL does not answer */
  async present(): Promise<number> {
    return (await this.generations.ofAll(TOPICS)).get(DELIVERIES_TOPIC)?.number ?? 0;
  }

  /** Resolves when what waited in a lost log is in PostgreSQL, or the partition is lost. */
  async carriedOver(ended: AbortSignal): Promise<void> {
    await this.carryOver.carriedOver(ended);
  }
}
