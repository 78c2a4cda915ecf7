import { Inject, Injectable, Logger } from '@nestjs/common';
import type { DeadReason } from '#common/domain/verdict.js';
import { PostGroup } from '#common/http/post-group.js';
import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import { deadLetters } from '#common/metrics/dead-letters.js';
import { replays } from '#common/metrics/replays.js';
import { poisonRecord } from '#common/records/poison-record.js';
import type { OutRecord } from '#common/records/record.js';
import { DeadLetterSigner } from '#common/security/dead-letter-signer.js';
import type { Delivery, UnreadableRow } from '../deliveries/delivery.js';
import { RECORD_LIMITS, type RecordLimits } from '../deliveries/record-limits.js';
import { EndpointDirectory } from '../endpoints/endpoint-directory.js';
import type { Endpoint } from '../endpoints/unsealed-endpoint.js';
import { type Attempt, Attempter } from './attempter.js';
import * as metrics from './metrics.js';
import { deadRecord, type Outcome, type OutcomeContext, outcomeOf } from './outcome.js';
import { throughOwnFaults } from './own-faults.js';

/** A delivery waits this long for the configuration of an unknown endpoint: the router's table may be ahead. */
const UNKNOWN_ENDPOINT_WAIT_MS = 5_000;
const UNKNOWN_ENDPOINT_CHECK_MS = 100;

/** For this long after the first delivery of an endpoint that stayed unknown, its other deliveries do not wait. */
const UNKNOWN_ENDPOINT_KEPT_MS = 10_000;
const MAX_UNKNOWN_ENDPOINTS = 1_000;

/** Makes the attempt of a delivery, or gives the delivery up without one, and records metrics. */
@Injectable()
export class Attempts {
  private readonly logger = new Logger(Attempts.name);
  /** By partition: aborts the attempts when the partition is lost. */
  private readonly groups = new WeakMap<OwnedLog, PostGroup>();
  private underWay = 0;
  /** Attempts that wait for DNS or file handles. */
  heldByOwnFaults = 0;
  /** By endpoint id: when the first delivery of an unknown endpoint came. If each delivery waited, a lane would take hours. */
  private readonly unknownSince = new Map<string, number>();

  constructor(
    private readonly directory: EndpointDirectory,
    private readonly attempter: Attempter,
    private readonly signer: DeadLetterSigner,
    @Inject(RECORD_LIMITS) private readonly limits: RecordLimits,
  ) {
    metrics.exposeInFlight(() => this.underWay);
  }

  /**
   * @returns the outcome, to be ignored if the partition was lost during the attempt; undefined when nothing was sent and
   *   nothing is decided, because a key of the endpoint is missing here
   */
  async make(delivery: Delivery): Promise<Outcome | undefined> {
    if (delivery.isReplay) replays.inc();
    const made = await this.makeOnce(delivery);
    if (!made.isOurFault) return made.outcome;
    this.heldByOwnFaults++;
    try {
      return (await throughOwnFaults(made, () => this.makeOnce(delivery), delivery.log.lost)).outcome;
    } finally {
      this.heldByOwnFaults--;
    }
  }

  get isAnyUnderWay(): boolean {
    return this.underWay > 0;
  }

  /** Requests of this partition in flight. */
  underWayOf(log: OwnedLog): number {
    return this.groups.get(log)?.size ?? 0;
  }

  /** @returns the dead letter of a delivery that no attempt ended */
  givenUp(delivery: Delivery, { reason, detail }: { reason: DeadReason; detail: string }): OutRecord {
    if (delivery.unreadable !== undefined) return this.setAside(delivery.unreadable);
    deadLetters.inc({ reason });
    return deadRecord(delivery, reason, this.context, { detail });
  }

  /** @returns the whole parked row as a poison record */
  private setAside({ record, detail }: UnreadableRow): OutRecord {
    deadLetters.inc({ reason: 'payload_error' });
    const { topic, partition, offset } = record;
    this.logger.error({ topic, partition, offset, detail }, 'lanes.row_set_aside');
    return poisonRecord(record, detail, Date.now(), this.limits.batchBytes);
  }

  abort(log: OwnedLog): void {
    this.groupOf(log).abort();
  }

  /** Reads the endpoint's configuration each time: during an own fault an operator may disable or change it. */
  private async makeOnce(delivery: Delivery): Promise<{ outcome: Outcome | undefined; isOurFault: boolean }> {
    const endpoint = this.directory.find(delivery.meta.endpointId) ?? (await this.awaitEndpoint(delivery));
    const problem = undeliverable(endpoint);
    if (problem !== undefined || endpoint === undefined) {
      const records = [this.givenUp(delivery, problem ?? UNKNOWN)];
      return { outcome: { records, hop: undefined }, isOurFault: false };
    }
    if (endpoint.missingKeys.length > 0) return { outcome: undefined, isOurFault: false };
    recordFirstAttempt(delivery);
    this.underWay++;
    let attempt: Attempt;
    try {
      attempt = await this.attempter.attempt(delivery, endpoint, this.groupOf(delivery.log));
    } finally {
      this.underWay--;
    }
    const { isOurFault } = attempt;
    const outcome = outcomeOf(delivery, attempt.facts, attempt.verdict, this.context);
    if (!isOurFault && !delivery.log.lost.aborted) recordMetrics(delivery, attempt, outcome);
    return { outcome, isOurFault };
  }

  private get context(): OutcomeContext {
    return { nowMs: Date.now(), signer: this.signer };
  }

  private groupOf(log: OwnedLog): PostGroup {
    const known = this.groups.get(log);
    if (known) return known;
    const group = new PostGroup();
    this.groups.set(log, group);
    return group;
  }

  private async awaitEndpoint({ meta, log }: Delivery): Promise<Endpoint | undefined> {
    const deadline = this.missedSince(meta.endpointId) + UNKNOWN_ENDPOINT_WAIT_MS;
    while (performance.now() < deadline && !this.directory.wasDeleted(meta.endpointId) && !log.lost.aborted) {
      await new Promise((resolve) => setTimeout(resolve, UNKNOWN_ENDPOINT_CHECK_MS));
      const endpoint = this.directory.find(meta.endpointId);
      if (endpoint) return endpoint;
    }
    return undefined;
  }

  private missedSince(endpointId: string): number {
    const now = performance.now();
    const since = this.unknownSince.get(endpointId);
    if (since !== undefined && now - since < UNKNOWN_ENDPOINT_KEPT_MS) return since;
    if (this.unknownSince.size >= MAX_UNKNOWN_ENDPOINTS) this.unknownSince.clear();
    this.unknownSince.set(endpointId, now);
    return now;
  }
}

const UNKNOWN = { reason: 'invalid_endpoint', detail: 'the endpoint does not exist' } as const;

function undeliverable(endpoint: Endpoint | undefined) {
  if (endpoint === undefined) return UNKNOWN;
  const { enabled, breaker, breaker_mode: mode } = endpoint.record;
  if (!enabled) return { reason: 'invalid_endpoint', detail: 'the endpoint is disabled' } as const;
  if (endpoint.missingKeys.length > 0) return undefined;
  if (breaker === 'open' && mode === 'discard') {
    return {
      reason: 'expired',
      detail: 'the breaker is open, and the endpoint discards what comes meanwhile',
    } as const;
  }
  return undefined;
}

function recordFirstAttempt({ meta }: Delivery): void {
  if (meta.attempt > 0 || meta.replay > 0) return;
  metrics.firstAttemptSeconds.observe(Math.max(0, Date.now() - meta.acceptedAt) / 1_000);
}

function recordMetrics({ meta }: Delivery, { facts, verdict }: Attempt, { hop }: Outcome): void {
  const outcome = verdict.kind === 'gone' ? 'dead' : verdict.kind;
  metrics.attempts.inc({ outcome });
  metrics.endpointAttempts.inc({ endpoint: metrics.endpointLabel.of(meta.endpointId), outcome });
  metrics.attemptSeconds.observe(facts.durationMs / 1_000);
  if (facts.error) metrics.attemptErrors.inc({ error: facts.error });
  if (hop) metrics.retries.inc({ tier: hop.tier.topic });
  if (verdict.kind === 'delivered') metrics.deliverySeconds.observe(Math.max(0, Date.now() - meta.acceptedAt) / 1_000);
  if (verdict.kind === 'dead' || verdict.kind === 'gone') deadLetters.inc({ reason: verdict.reason });
}
