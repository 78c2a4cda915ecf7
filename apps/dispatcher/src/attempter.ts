import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { type Verdict, verdictOf } from '#common/domain/verdict.js';
import type { SendResult } from '#common/http/endpoint-client.js';
import { messageHeaders } from '#common/http/message.js';
import type { PostGroup } from '#common/http/post-group.js';
import { recordTrace } from '#common/records/trace-context.js';
import type { AddressPolicy } from '#common/security/address-policy.js';
import type { Delivery } from './delivery.js';
import { EndpointClients } from './endpoint-clients.js';
import { EndpointDirectory } from './endpoint-directory.js';
import * as metrics from './metrics.js';
import type { AttemptFacts } from './outcome.js';
import type { Endpoint } from './unsealed-endpoint.js';

/** DI token of the {@link AddressPolicy} every connection is held against. */
export const ADDRESS_POLICY = Symbol('AddressPolicy');

/** What one attempt came to. */
export interface Attempt {
  readonly facts: AttemptFacts;
  readonly verdict: Verdict;
  /** It never reached the endpoint, for a reason of ours: what it came to is not to be held against the endpoint. */
  readonly isOurFault: boolean;
}

/** How often a fault of ours is told in the log. */
const TELL_EVERY_MS = 60_000;

/** Makes attempts: signs, posts, judges. */
@Injectable()
export class Attempter implements OnApplicationShutdown {
  private readonly logger = new Logger(Attempter.name);
  private readonly clients: EndpointClients;
  private toldAt = Number.NEGATIVE_INFINITY;

  constructor(@Inject(EndpointDirectory) directory: EndpointDirectory, @Inject(ADDRESS_POLICY) policy: AddressPolicy) {
    this.clients = new EndpointClients(policy);
    // The next attempt connects anew, by the new configuration; those under way finish on the old one.
    directory.onChange((endpointId) => this.clients.forget(endpointId));
  }

  /** @param group ends the attempt when the delivery's partition is lost; never throws for an endpoint's fault */
  attempt(delivery: Delivery, endpoint: Endpoint, group: PostGroup): Promise<Attempt> {
    const at = Date.now();
    const sending = this.clients.of(endpoint.record).post({
      headers: headersOf(delivery, endpoint, at),
      body: delivery.body,
      timeoutMs: endpoint.record.timeout_ms,
      group,
    });
    return sending.then((sent) => this.judged(sent, delivery, endpoint, at));
  }

  async onApplicationShutdown(): Promise<void> {
    await this.clients.close();
  }

  private judged(sent: SendResult, { meta }: Delivery, { record }: Endpoint, at: number): Attempt {
    const verdict = verdictOf(sent.result, {
      policy: record.retry_policy,
      attempt: meta.attempt + 1,
      replay: meta.replay,
      nowMs: Date.now(),
      random: Math.random,
    });
    if (sent.isOurFault) this.tellOwnFault(sent);
    return { facts: toFacts(sent, at), verdict, isOurFault: sent.isOurFault };
  }

  private tellOwnFault({ result, errorDetail }: SendResult): void {
    metrics.ownFaults.inc();
    const now = performance.now();
    if (now - this.toldAt < TELL_EVERY_MS) return;
    this.toldAt = now;
    const error = result.kind === 'failure' ? result.error : undefined;
    this.logger.error({ error, error_detail: errorDetail }, 'attempts.cannot_be_made');
  }
}

/** @param at ms since the epoch */
function headersOf({ meta, body, headers }: Delivery, { record, keys, staticHeaders }: Endpoint, at: number): string[] {
  return messageHeaders({
    eventId: meta.eventId,
    attempt: meta.attempt + 1,
    timestampS: Math.floor(at / 1_000),
    body,
    keys: keys.filter(({ expiresAt }) => expiresAt === undefined || expiresAt > at).map(({ key }) => key),
    signatureHeader: record.signature_header ?? undefined,
    staticHeaders,
    trace: recordTrace(headers),
  });
}

function toFacts({ statusCode, result, errorDetail, responseBody, durationMs }: SendResult, at: number): AttemptFacts {
  return {
    at,
    durationMs,
    statusCode,
    error: result.kind === 'failure' ? result.error : undefined,
    errorDetail,
    responseBody,
  };
}
