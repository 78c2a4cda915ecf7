import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { type Verdict, verdictOf } from '#common/domain/verdict.js';
import { messageHeaders } from '#common/http/message.js';
import type { PostGroup } from '#common/http/post-group.js';
import { Sender, type SendResult } from '#common/http/sender.js';
import { recordTrace } from '#common/records/trace-context.js';
import type { Delivery } from '../deliveries/delivery.js';
import type { Endpoint } from '../endpoints/unsealed-endpoint.js';
import * as metrics from './metrics.js';
import type { AttemptFacts } from './outcome.js';

/** The result of one attempt, and its verdict. */
export interface Attempt {
  readonly facts: AttemptFacts;
  readonly verdict: Verdict;
  /** An own fault: the attempt never reached the endpoint, and does not count against it. */
  readonly isOurFault: boolean;
}

/** Least time between two error lines about own faults. */
const LOG_INTERVAL_MS = 60_000;

/** Makes attempts: signs the message, posts it, and classifies the response. */
@Injectable()
export class Attempter implements OnApplicationShutdown {
  private readonly logger = new Logger(Attempter.name);
  private loggedAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly sender: Sender) {
    metrics.exposeConnections(sender);
  }

  /** Never rejects for a fault of the endpoint. @param group aborts the attempt when the delivery's partition is lost */
  attempt(delivery: Delivery, endpoint: Endpoint, group: PostGroup): Promise<Attempt> {
    const at = Date.now();
    const sending = this.sender.post(endpoint.record.url, {
      headers: headersOf(delivery, endpoint, at),
      body: delivery.body,
      timeoutMs: endpoint.record.timeout_ms,
      group,
    });
    return sending.then((sent) => this.toAttempt(sent, delivery, endpoint, at));
  }

  async onApplicationShutdown(): Promise<void> {
    await this.sender.close();
  }

  private toAttempt(sent: SendResult, { meta }: Delivery, { record }: Endpoint, at: number): Attempt {
    const verdict = verdictOf(sent.result, {
      policy: record.retry_policy,
      attempt: meta.attempt + 1,
      replay: meta.replay,
      nowMs: Date.now(),
      random: Math.random,
    });
    if (sent.isOurFault) this.recordOwnFault(sent);
    return { facts: toFacts(sent, at), verdict, isOurFault: sent.isOurFault };
  }

  private recordOwnFault({ result, errorDetail }: SendResult): void {
    metrics.ownFaults.inc();
    const now = performance.now();
    if (now - this.loggedAt < LOG_INTERVAL_MS) return;
    this.loggedAt = now;
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
