import { Controller } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import { TIERS } from '#common/domain/tier.js';
import type { LogBatch } from '#common/kafka/port/owned-log.js';
import { Scheduler } from './scheduler.js';

/** Hands the records of all tiers to the scheduler. */
@Controller()
export class RetryConsumer {
  constructor(private readonly scheduler: Scheduler) {}

  @EventPattern(TIERS.map(({ topic }) => topic))
  handle(@Payload() batch: LogBatch): void {
    this.scheduler.take(batch);
  }
}
