import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { judge, type Verdict } from '#common/domain/verdict.js';
import { EndpointClient, type SendResult } from '#common/http/endpoint-client.js';
import { messageHeaders } from '#common/http/message.js';
import type { AddressPolicy } from '#common/security/address-policy.js';
import type { Delivery } from './delivery.js';
import { type Endpoint, EndpointDirectory } from './endpoint-directory.js';
import type { AttemptFacts } from './outcome.js';

/** DI token of the {@link AddressPolicy} every connection is held against. */
export const ADDRESS_POLICY = Symbol('AddressPolicy');

/** What one attempt came to. */
export interface Attempt {
  readonly facts: AttemptFacts;
  readonly verdict: Verdict;
}

/** Makes attempts: signs, posts, judges. Keeps one connection pool per endpoint. */
@Injectable()
export class Attempter implements OnApplicationShutdown {
  private readonly clients = new Map<string, EndpointClient>();

  constructor(
    @Inject(EndpointDirectory) directory: EndpointDirectory,
    @Inject(ADDRESS_POLICY) private readonly policy: AddressPolicy,
  ) {
    directory.onChange((endpointId) => this.forget(endpointId));
  }

  /** @param signal ends the attempt when the delivery's partition is lost; never throws for an endpoint's fault */
  async attempt(delivery: Delivery, endpoint: Endpoint, signal: AbortSignal): Promise<Attempt> {
    const at = Date.now();
    const { record } = endpoint;
    const attempt = delivery.meta.attempt + 1;
    const headers = messageHeaders({
      eventId: delivery.meta.eventId,
      attempt,
      timestampS: Math.floor(at / 1_000),
      body: delivery.body,
      keys: endpoint.keys.filter(({ expiresAt }) => expiresAt === undefined || expiresAt > at).map(({ key }) => key),
      signatureHeader: record.signature_header ?? undefined,
      staticHeaders: endpoint.staticHeaders,
    });
    const result = await this.clientOf(endpoint).post({
      headers,
      body: delivery.body,
      timeoutMs: record.timeout_ms,
      signal,
    });
    const verdict = judge(result.result, {
      policy: record.retry_policy,
      attempt,
      replay: delivery.meta.replay,
      nowMs: Date.now(),
      random: Math.random,
    });
    return { facts: toFacts(at, result), verdict };
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([...this.clients.values()].map((client) => client.close()));
  }

  private clientOf({ record }: Endpoint): EndpointClient {
    const known = this.clients.get(record.id);
    if (known) return known;
    const client = new EndpointClient({ url: record.url, maxConnections: record.max_in_flight, policy: this.policy });
    this.clients.set(record.id, client);
    return client;
  }

  /** The next attempt connects anew, by the new configuration; those under way finish on the old one. */
  private forget(endpointId: string): void {
    const client = this.clients.get(endpointId);
    this.clients.delete(endpointId);
    void client?.close();
  }
}

function toFacts(at: number, { statusCode, result, errorDetail, responseBody, durationMs }: SendResult): AttemptFacts {
  return {
    at,
    durationMs,
    statusCode,
    error: result.kind === 'failure' ? result.error : undefined,
    errorDetail,
    responseBody,
  };
}
