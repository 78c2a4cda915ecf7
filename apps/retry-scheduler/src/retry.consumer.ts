import { Controller } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import { TIERS } from '#common/domain/tier.js';
import type { LogBatch } from '#common/kafka/port/owned-log.js';
import { Scheduler } from './scheduler.js';

/** Reads every retry tier. */
@Controller()
export class RetryConsumer {
  constructor(private readonly scheduler: Scheduler) {}

  @EventPattern(TIERS.map(({ topic }) => topic))
  handle(@Payload() batch: LogBatch): void {
    this.scheduler.take(batch);
  }
}
