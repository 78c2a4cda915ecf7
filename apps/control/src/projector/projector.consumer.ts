import { Controller } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import { ApiExcludeController } from '@nestjs/swagger';
import type { LogBatch } from '#common/kafka/port/owned-log.js';
import { ATTEMPTS_TOPIC, DLQ_TOPIC } from '#common/records/topics.js';
import { Projector } from './projector.js';

/** Reads outcomes of deliveries. */
@ApiExcludeController()
@Controller()
export class ProjectorConsumer {
  constructor(private readonly projector: Projector) {}

  @EventPattern([ATTEMPTS_TOPIC, DLQ_TOPIC])
  handle(@Payload() batch: LogBatch): void {
    this.projector.take(batch);
  }
}
