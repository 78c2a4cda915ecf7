import { Inject, Injectable } from '@nestjs/common';
import { TIERS } from '#common/domain/tier.js';
import { Generations } from '#common/generations/generations.js';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';

const TOPICS = [DELIVERIES_TOPIC, ...TIERS.map(({ topic }) => topic)];

/** The generation of `deliveries`; the tiers' are registered with it. */
@Injectable()
export class DeliveryGenerations {
  constructor(@Inject(Generations) private readonly generations: Generations) {}

  /** @throws when Kafka or PostgreSQL does not answer */
  async present(): Promise<number> {
    return (await this.generations.ofAll(TOPICS)).get(DELIVERIES_TOPIC)?.number ?? 0;
  }
}
