import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ApiKeyTable } from '#common/api-keys/api-key-table.js';
import { callerOf } from '#common/http/api-key.guard.js';
import * as metrics from '../metrics.js';
import { type BatchLimits, readBatch, readEvent } from './event-request.js';
import { Publisher } from './publisher.js';

/** DI token of {@link RouteLimits}. */
export const ROUTE_LIMITS = Symbol('RouteLimits');

export interface RouteLimits extends BatchLimits {
  /** Largest body of a batch. Fastify's own limit is that of a single event. */
  readonly maxBatchBytes: number;
}

/** The bodies are the bytes that came: `http-adapter.ts` parses none. */
interface RawRoute {
  Body: Buffer | undefined;
}

/**
 * What producers publish by; 202 means that Kafka has it. These are Fastify's routes, not a controller: Nest's pipeline
 * would cost as much as all else that is done for an event (docs/adr/0013-fastify-routes-for-events.md). What they throw
 * goes to the filters of the app, as it does from a controller.
 */
@Injectable()
export class EventRoutes implements OnModuleInit {
  constructor(
    private readonly host: HttpAdapterHost,
    private readonly keys: ApiKeyTable,
    private readonly publisher: Publisher,
    @Inject(ROUTE_LIMITS) private readonly limits: RouteLimits,
  ) {}

  onModuleInit(): void {
    const server: FastifyInstance = this.host.httpAdapter.getInstance();
    const single = { onResponse: count, config: { bodyLimitSetting: 'MAX_EVENT_BYTES' } };
    server.post<RawRoute>('/v1/events', single, async (request, reply) => {
      const event = readEvent(request, this.callerOf(request));
      await this.publisher.publish([event]);
      reply.status(202);
      return { id: event.id };
    });
    const bodyLimit = this.limits.maxBatchBytes;
    const batch = { onResponse: count, bodyLimit, config: { bodyLimitSetting: 'MAX_BATCH_BYTES' } };
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

function count(_request: unknown, { statusCode, elapsedTime }: FastifyReply, done: () => void): void {
  if (statusCode === 202) metrics.acceptSeconds.observe(elapsedTime / 1_000);
  else metrics.rejected.inc({ door: 'http', reason: REASONS[statusCode] ?? 'other' });
  done();
}
