import { Controller, HttpCode, Inject, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Caller, RequireScope } from '#common/http/api-key.guard.js';
import type { AuthenticatedKey } from '#common/security/api-key.js';
import { type BatchLimits, readBatch, readEvent } from './event-request.js';
import { Publisher } from './publisher.js';

/** DI token of {@link BatchLimits}. */
export const BATCH_LIMITS = Symbol('BatchLimits');

/** The bodies are the bytes that came: `http-adapter.ts` parses none. */
type RawRequest = FastifyRequest<{ Body: Buffer | undefined }>;

/** What producers publish by. 202 means that Kafka has it. */
@Controller('v1/events')
@RequireScope('write')
export class EventsController {
  constructor(
    @Inject(Publisher) private readonly publisher: Publisher,
    @Inject(BATCH_LIMITS) private readonly limits: BatchLimits,
  ) {}

  @Post()
  @HttpCode(202)
  async publish(@Req() request: RawRequest, @Caller() caller: AuthenticatedKey): Promise<{ id: string }> {
    const event = readEvent(request, caller);
    await this.publisher.publish([event]);
    return { id: event.id };
  }

  @Post('batch')
  @HttpCode(202)
  async publishBatch(
    @Req() request: RawRequest,
    @Caller() caller: AuthenticatedKey,
  ): Promise<{ items: { id: string }[] }> {
    const events = readBatch(request, caller, this.limits);
    await this.publisher.publish(events);
    return { items: events.map(({ id }) => ({ id })) };
  }
}
