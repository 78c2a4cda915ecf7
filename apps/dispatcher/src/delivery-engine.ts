import { Inject, Injectable, Logger } from '@nestjs/common';
import { LaneQueue } from '#common/domain/lane-queue.js';
import { RecentSet } from '#common/domain/recent-set.js';
import type { OwnedLog, OwnershipListener } from '#common/kafka/port.js';
import { RecordProducer } from '#common/kafka/producer.js';
import { type Attempt, Attempter } from './attempter.js';
import { Backpressure } from './backpressure.js';
import type { Delivery } from './delivery.js';
import { type Endpoint, EndpointDirectory } from './endpoint-directory.js';
import * as metrics from './metrics.js';
import { deadRecord, type Outcome, outcomeOf } from './outcome.js';

/** DI token of {@link EngineLimits}. */
export const ENGINE_LIMITS = Symbol('EngineLimits');

export interface EngineLimits {
  /** Finished attempts that are remembered. */
  readonly recentDeliveries: number;
}

/** How long a delivery waits for the configuration of an endpoint nobody has heard of: the router's table may be ahead. */
const UNKNOWN_ENDPOINT_WAIT_MS = 5_000;
const UNKNOWN_ENDPOINT_CHECK_MS = 100;

/** One endpoint's share of the engine: its lanes, and how many of its attempts are under way. */
interface Slots {
  readonly lanes: LaneQueue<Delivery>;
  inFlight: number;
}

/**
 * Brings deliveries to their endpoints: within a lane one after the other, across lanes at once, each endpoint within its
 * own in-flight limit. An endpoint's slot is free when it has answered; the lane goes on, and the record is finished,
 * when Kafka has everything the answer caused.
 */
@Injectable()
export class DeliveryEngine implements OwnershipListener {
  private readonly logger = new Logger(DeliveryEngine.name);
  private readonly endpoints = new Map<string, Slots>();
  private readonly recent: RecentSet;
  /** By partition: ends the attempts under way when the partition is lost. */
  private readonly underWay = new Map<OwnedLog, Set<AbortController>>();
  private underWayCount = 0;
  private isHalted = false;
  private onDrained: (() => void) | undefined;

  constructor(
    @Inject(EndpointDirectory) private readonly directory: EndpointDirectory,
    @Inject(Attempter) private readonly attempter: Attempter,
    @Inject(RecordProducer) private readonly producer: RecordProducer,
    @Inject(Backpressure) private readonly backpressure: Backpressure,
    @Inject(ENGINE_LIMITS) limits: EngineLimits,
  ) {
    this.recent = new RecentSet(limits.recentDeliveries);
  }

  /** Takes a delivery over. One that came back before its time is held until then: never early (design.md, section 5). */
  accept(delivery: Delivery): void {
    this.backpressure.entered(delivery);
    const earlyMs = (delivery.meta.dueAt ?? 0) - Date.now();
    if (delivery.meta.returned && earlyMs > 0) setTimeout(() => this.enqueue(delivery), earlyMs);
    else this.enqueue(delivery);
  }

  onRebalancing(): Promise<void> {
    this.isHalted = true;
    return new Promise((resolve) => {
      if (this.underWayCount === 0) resolve();
      else this.onDrained = resolve;
    });
  }

  onRebalanced(): void {
    this.isHalted = false;
    this.onDrained = undefined;
    for (const [endpointId, slots] of this.endpoints) this.pump(endpointId, slots);
  }

  onLost(log: OwnedLog): void {
    for (const controller of this.underWay.get(log) ?? []) controller.abort();
    this.underWay.delete(log);
    this.backpressure.lost(log);
    for (const { lanes } of this.endpoints.values()) {
      for (const delivery of lanes.drop((waiting) => waiting.log === log)) this.backpressure.left(delivery);
    }
  }

  private enqueue(delivery: Delivery): void {
    if (delivery.log.lost.aborted) {
      this.backpressure.left(delivery);
      return;
    }
    const { endpointId } = delivery.meta;
    let slots = this.endpoints.get(endpointId);
    if (slots === undefined) {
      slots = { lanes: new LaneQueue(), inFlight: 0 };
      this.endpoints.set(endpointId, slots);
    }
    slots.lanes.add(delivery.lane, delivery);
    this.pump(endpointId, slots);
  }

  /** Begins as many attempts as the endpoint has room for. */
  private pump(endpointId: string, slots: Slots): void {
    const limit = this.directory.find(endpointId)?.record.max_in_flight ?? 1;
    while (!this.isHalted && slots.inFlight < limit) {
      const next = slots.lanes.take();
      if (next === undefined) break;
      slots.inFlight++;
      this.underWayCount++;
      void this.process(next.work, slots).then(() => {
        slots.lanes.done(next.lane);
        if (--this.underWayCount === 0) this.onDrained?.();
        this.pump(endpointId, slots);
      });
    }
    if (slots.inFlight === 0 && slots.lanes.isIdle) this.endpoints.delete(endpointId);
  }

  /** One delivery's turn: until it is over here, or its partition is lost. Never rejects. */
  private async process(delivery: Delivery, slots: Slots): Promise<void> {
    const freeSlot = once(() => {
      slots.inFlight--;
      this.pump(delivery.meta.endpointId, slots);
    });
    try {
      const outcome = await this.settle(delivery);
      freeSlot();
      if (delivery.log.lost.aborted) return;
      await this.producer.write(outcome.records);
      this.recent.add(identity(delivery));
      delivery.log.finish(delivery.offset);
    } catch (error) {
      // Not finished, so nothing is lost: the record is read again by whoever owns the partition next.
      this.logger.error({ err: error, delivery_id: delivery.meta.deliveryId }, 'delivery.not_settled');
    } finally {
      freeSlot();
      this.backpressure.left(delivery);
    }
  }

  private async settle(delivery: Delivery): Promise<Outcome> {
    if (this.recent.has(identity(delivery))) {
      metrics.repeats.inc();
      return { records: [] };
    }
    if (delivery.isReplay) metrics.replays.inc();
    const endpoint = this.directory.find(delivery.meta.endpointId) ?? (await this.awaitEndpoint(delivery));
    if (!endpoint?.record.enabled) return this.undeliverable(delivery, endpoint);
    const attempt = await this.attempt(delivery, endpoint);
    const outcome = outcomeOf(delivery, attempt.facts, attempt.verdict, Date.now());
    if (!delivery.log.lost.aborted) tell(delivery, attempt, outcome);
    return outcome;
  }

  private async attempt(delivery: Delivery, endpoint: Endpoint): Promise<Attempt> {
    const controller = new AbortController();
    const peers = this.underWay.get(delivery.log) ?? new Set();
    this.underWay.set(delivery.log, peers.add(controller));
    if (delivery.meta.attempt === 0 && !delivery.isReplay) {
      metrics.firstAttemptSeconds.observe(Math.max(0, Date.now() - delivery.meta.acceptedAt) / 1_000);
    }
    metrics.inFlight.inc();
    try {
      return await this.attempter.attempt(delivery, endpoint, controller.signal);
    } finally {
      metrics.inFlight.dec();
      peers.delete(controller);
    }
  }

  private async awaitEndpoint({ meta, log }: Delivery): Promise<Endpoint | undefined> {
    const deadline = Date.now() + UNKNOWN_ENDPOINT_WAIT_MS;
    while (Date.now() < deadline && !this.directory.wasDeleted(meta.endpointId) && !log.lost.aborted) {
      await new Promise((resolve) => setTimeout(resolve, UNKNOWN_ENDPOINT_CHECK_MS));
      const endpoint = this.directory.find(meta.endpointId);
      if (endpoint) return endpoint;
    }
    return undefined;
  }

  private undeliverable(delivery: Delivery, endpoint: Endpoint | undefined): Outcome {
    metrics.dead.inc({ reason: 'invalid_endpoint' });
    const detail = endpoint === undefined ? 'the endpoint does not exist' : 'the endpoint is disabled';
    return { records: [deadRecord(delivery, 'invalid_endpoint', Date.now(), { detail })] };
  }
}

function tell({ meta }: Delivery, { facts, verdict }: Attempt, { tier }: Outcome): void {
  const outcome = verdict.kind === 'gone' ? 'dead' : verdict.kind;
  metrics.attempts.inc({ outcome });
  metrics.endpointAttempts.inc({ endpoint: metrics.endpointLabel.of(meta.endpointId), outcome });
  metrics.attemptSeconds.observe(facts.durationMs / 1_000);
  if (facts.error) metrics.attemptErrors.inc({ error: facts.error });
  if (tier) metrics.retries.inc({ tier });
  if (verdict.kind === 'delivered') metrics.deliverySeconds.observe(Math.max(0, Date.now() - meta.acceptedAt) / 1_000);
  if (verdict.kind === 'dead' || verdict.kind === 'gone') metrics.dead.inc({ reason: verdict.reason });
}

/** What makes two records the same attempt of the same life of a delivery. */
function identity({ meta }: Delivery): string {
  return `${meta.deliveryId}/${meta.attempt}/${meta.replay}`;
}

function once(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    action();
  };
}
