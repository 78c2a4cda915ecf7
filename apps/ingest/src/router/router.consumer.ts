import { Controller } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import type { LogBatch } from '#common/kafka/port/owned-log.js';
import { INGEST_TOPIC } from '#common/records/topics.js';
import { Router } from './router.js';

/** Hands the records of `ingest` to the router. */
@Controller()
export class RouterConsumer {
  constructor(private readonly router: Router) {}

  @EventPattern(INGEST_TOPIC)
  take(@Payload() batch: LogBatch): void {
    this.router.accept(batch);
  }
}
