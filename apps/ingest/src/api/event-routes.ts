import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ApiKeyTable } from '#common/api-keys/api-key-table.js';
import { callerOf } from '#common/http/api-key.guard.js';
import * as metrics from '../metrics.js';
import { type BatchLimits, readBatch, readEvent } from './event-request.js';
import { EventPublisher } from './publisher.js';

/** DI token of {@link RouteLimits}. */
export const ROUTE_LIMITS = Symbol('RouteLimits');

export interface RouteLimits extends BatchLimits {
  /** Largest body of a batch. Fastify's own limit is that of a single event. */
  readonly maxBatchBytes: number;
}

/** Bodies are raw bytes: `http-adapter.ts` parses none. */
interface RawRoute {
  Body: Buffer | undefined;
}

/**
 * The routes that producers publish events to. 202 means that Kafka acknowledged the event.
 *
 * These are Fastify routes, not a controller. Nest's pipeline would double the CPU per event
 * (docs/adr/0013-fastify-routes-for-events.md). The app's exception filters handle the errors of these routes, too.
 */
@Injectable()
export class EventRoutes implements OnModuleInit {
  constructor(
    private readonly host: HttpAdapterHost,
    private readonly keys: ApiKeyTable,
    private readonly publisher: EventPublisher,
    @Inject(ROUTE_LIMITS) private readonly limits: RouteLimits,
  ) {}

  onModuleInit(): void {
    const server: FastifyInstance = this.host.httpAdapter.getInstance();
    const single = { onResponse: recordMetrics, config: { bodyLimitSetting: 'MAX_EVENT_BYTES' } };
    server.post<RawRoute>('/v1/events', single, async (request, reply) => {
      const event = readEvent(request, this.callerOf(request));
      await this.publisher.publish([event]);
      reply.status(202);
      return { id: event.id };
    });
    const bodyLimit = this.limits.maxBatchBytes;
    const batch = { onResponse: recordMetrics, bodyLimit, config: { bodyLimitSetting: 'MAX_BATCH_BYTES' } };
    server.post<RawRoute>('/v1/events/batch', batch, async (request, reply) => {
      const events = readBatch(request, this.callerOf(request), this.limits);
      await this.publisher.publish(events);
      reply.status(202);
      return { items: events.map(({ id }) => ({ id })) };
    });
  }

  private callerOf({ headers }: Pick<FastifyRequest, 'headers'>) {
    return callerOf(headers.authorization, 'write', this.keys);
  }
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'invalid',
  401: 'unauthenticated',
  403: 'forbidden',
  413: 'too_large',
  415: 'media_type',
  503: 'unavailable',
};

function recordMetrics(_request: unknown, { statusCode, elapsedTime }: FastifyReply, done: () => void): void {
  if (statusCode === 202) metrics.acceptSeconds.observe(elapsedTime / 1_000);
  else metrics.rejected.inc({ door: 'http', reason: REASONS[statusCode] ?? 'other' });
  done();
}
