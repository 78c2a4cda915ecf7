import type { Hop } from '#common/domain/tier.js';
import { hopFor } from '#common/domain/tier.js';
import type { AttemptError, DeadReason, Verdict } from '#common/domain/verdict.js';
import { encodeAttempt } from '#common/records/attempt-record.js';
import { DEAD_HEADERS, deadLetterHeaders } from '#common/records/dead-letter-record.js';
import { DELIVERY_HEADER, type DeliveryMeta, encodeDelivery } from '#common/records/delivery-record.js';
import type { OutRecord } from '#common/records/record.js';
import { ATTEMPTS_TOPIC, DLQ_TOPIC } from '#common/records/topics.js';
import type { DeadLetterSigner } from '#common/security/dead-letter-signer.js';
import type { Delivery } from '../deliveries/delivery.js';

/** Facts of one finished attempt. Times in ms. */
export interface AttemptFacts {
  readonly at: number;
  readonly durationMs: number;
  readonly statusCode: number | undefined;
  readonly error: AttemptError | undefined;
  readonly errorDetail: string | undefined;
  /** At most 4 KiB. */
  readonly responseBody: Buffer;
}

/** The records that an attempt caused. */
export interface Outcome {
  /** All of them must be stored before the delivery's own record is finished. */
  readonly records: readonly OutRecord[];
  /** The delivery's stay in a tier before its next attempt; undefined when the delivery is over. */
  readonly hop: Hop | undefined;
}

/** The time and the signer that records are made with. */
export interface OutcomeContext {
  /** ms since the epoch. */
  readonly nowMs: number;
  readonly signer: DeadLetterSigner;
}

export function outcomeOf(
  delivery: Delivery,
  facts: AttemptFacts,
  verdict: Verdict,
  { nowMs, signer }: OutcomeContext,
): Outcome {
  const hop = verdict.kind === 'retry' ? hopFor(verdict.delayMs, nowMs) : undefined;
  const attempted = attemptOutRecord(delivery, facts, verdict, hop);
  if (hop) return { records: [waitingRecord(delivery, hop), attempted], hop };
  if (verdict.kind === 'delivered' || verdict.kind === 'retry') return { records: [attempted], hop: undefined };
  return { records: [deadRecord(delivery, verdict.reason, { nowMs, signer }, facts), attempted], hop: undefined };
}

/**
 * The delivery, unchanged, as a dead letter, with the MAC that lets it come back.
 *
 * @param last the last attempt, or a text; undefined when the delivery was never attempted
 */
export function deadRecord(
  delivery: Delivery,
  reason: DeadReason,
  { nowMs, signer }: OutcomeContext,
  last: Partial<AttemptFacts> & { detail?: string },
): OutRecord {
  const { lane, body, headers, meta, log, offset } = delivery;
  const dead = deadLetterHeaders({
    reason,
    at: nowMs,
    detail: last.detail ?? last.errorDetail,
    lastStatus: last.statusCode,
    lastError: last.error,
    source: `${log.topic}/${log.partition}/${offset}`,
  });
  // The attempt that killed it was made; a delivery dead without one keeps its count.
  const attempt = last.at === undefined ? meta.attempt : meta.attempt + 1;
  const header = encodeDelivery({ ...meta, attempt });
  const mac = signer.sign({ key: lane, value: body, packed: header });
  return {
    topic: DLQ_TOPIC,
    key: lane,
    value: body,
    headers: { ...headers, [DELIVERY_HEADER]: header, ...dead, [DEAD_HEADERS.mac]: mac },
  };
}

/** The delivery in its tier, with one more attempt made. */
export function waitingRecord(delivery: Delivery, hop: Hop): OutRecord {
  const { meta } = delivery;
  return waitingAgain({ ...delivery, meta: { ...meta, attempt: meta.attempt + 1 } }, hop);
}

/** The delivery in its tier, with the attempts made so far. */
export function waitingAgain({ lane, body, headers, meta }: Delivery, { tier, dueAt, tierUntil }: Hop): OutRecord {
  const waiting = { ...meta, returned: false, dueAt, tierUntil };
  return { topic: tier.topic, key: lane, value: body, headers: { ...headers, ...packed(waiting) } };
}

function attemptOutRecord(delivery: Delivery, facts: AttemptFacts, verdict: Verdict, hop: Hop | undefined): OutRecord {
  const { meta } = delivery;
  const isDead = verdict.kind === 'dead' || verdict.kind === 'gone';
  const value = encodeAttempt({
    delivery_id: meta.deliveryId,
    event_id: meta.eventId,
    endpoint_id: meta.endpointId,
    tenant: meta.tenant,
    event_type: meta.eventType,
    lane: delivery.lane,
    accepted_at: meta.acceptedAt,
    replay: meta.replay,
    attempt: meta.attempt + 1,
    at: facts.at,
    duration_ms: Math.round(facts.durationMs),
    status_code: facts.statusCode ?? null,
    error: facts.error ?? null,
    error_detail: facts.errorDetail || null,
    outcome: isDead ? 'dead' : verdict.kind,
    dead_reason: isDead ? verdict.reason : null,
    gone: verdict.kind === 'gone',
    next_attempt_at: hop?.dueAt ?? null,
    response_body: facts.responseBody.length > 0 ? facts.responseBody : null,
  });
  return { topic: ATTEMPTS_TOPIC, key: meta.endpointId, value };
}

function packed(meta: DeliveryMeta): Record<string, string> {
  return { [DELIVERY_HEADER]: encodeDelivery(meta) };
}
