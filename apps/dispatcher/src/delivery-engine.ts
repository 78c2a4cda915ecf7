import { Inject, Injectable, Logger } from '@nestjs/common';
import { RecentSet } from '#common/collections/recent-set.js';
import type { Positions } from '#common/domain/positions.js';
import { earlyMs, hopFor } from '#common/domain/tier.js';
import type { FencedLog, OwnedLog, OwnershipListener } from '#common/kafka/port/owned-log.js';
import { RECORD_WRITER, type RecordWriter } from '#common/kafka/port/record-writer.js';
import { Attempts } from './attempts.js';
import type { Delivery } from './delivery.js';
import { Drainer } from './drainer.js';
import { Gates } from './gates.js';
import type { ActiveLane, LaneHost } from './lanes/active-lane.js';
import type { LogLanes } from './lanes/log-lanes.js';
import { LogOwners } from './log-owners.js';
import { MemoryBudget } from './memory-budget.js';
import * as metrics from './metrics.js';
import { type Outcome, waitingRecord } from './outcome.js';

/** DI token of {@link EngineLimits}. */
export const ENGINE_LIMITS = Symbol('EngineLimits');

export interface EngineLimits {
  /** Finished attempts that are remembered. */
  readonly recentDeliveries: number;
}

const DRAINED_CHECK_MS = 10;

/**
 * Joins the parts of the dispatcher: what was read goes to its lane, a lane's wish for an attempt to its endpoint's gate,
 * and what an attempt caused to Kafka. An endpoint's slot is free when it has answered; the lane goes on when what the
 * answer caused is stored.
 */
@Injectable()
export class DeliveryEngine implements OwnershipListener, LaneHost {
  private readonly logger = new Logger(DeliveryEngine.name);
  private readonly recent: RecentSet;
  private owned = 0;
  /** By partition: lanes with an attempt begun whose consequences are not all stored. */
  private readonly turns = new Map<OwnedLog, number>();
  /** By partition: returns that came before they are due. */
  private readonly early = new WeakMap<OwnedLog, number>();

  constructor(
    @Inject(LogOwners) private readonly owners: LogOwners,
    @Inject(Gates) private readonly gates: Gates,
    @Inject(Attempts) private readonly attempts: Attempts,
    @Inject(MemoryBudget) private readonly memory: MemoryBudget,
    @Inject(Drainer) private readonly drainer: Drainer,
    @Inject(RECORD_WRITER) private readonly producer: RecordWriter,
    @Inject(ENGINE_LIMITS) limits: EngineLimits,
  ) {
    this.recent = new RecentSet(limits.recentDeliveries);
    gates.listen({
      onHold: (endpointId, reason) => {
        for (const lanes of owners.all()) {
          lanes.hold(endpointId, reason !== undefined);
          drainer.start(lanes, endpointId);
        }
      },
      onRoom: (endpointId) => {
        for (const { log } of owners.all()) log.resume(endpointId);
      },
    });
  }

  /**
   * Takes a delivery over. A return that arrives before its due time is held until then: no attempt is early.
   *
   * @param appendedAt when the broker stored its record, ms since the epoch
   */
  accept(delivery: Delivery, appendedAt: number): void {
    this.memory.enter(delivery);
    const gate = this.gates.of(delivery.meta.endpointId);
    gate.count(this.memory.placesOf(delivery));
    if (gate.isFull) delivery.log.pause(delivery.meta.endpointId);
    const { returned, dueAt = 0 } = delivery.meta;
    const holdMs = returned ? earlyMs(dueAt, { appendedAt, nowMs: Date.now() }) : 0;
    if (holdMs > 0) this.hold(delivery, holdMs);
    else this.arrived(delivery);
  }

  /** Those of the records of an owned log; no record is read before they are known. Undefined for a lost one. */
  positionsOf(log: FencedLog): Positions | undefined {
    return this.owners.of(log)?.positions;
  }

  /** Why deliveries of this partition that were read are not finished, though all works; undefined without a reason. */
  waitsFor(log: OwnedLog): string | undefined {
    if (this.attempts.underWayOf(log) > 0) return 'attempts under way';
    if (this.attempts.heldByOwnFaults > 0) return 'DNS or file handles';
    if ((this.early.get(log) ?? 0) > 0) return 'due times';
    // It is paused, if at all, because deliveries of other partitions fill the memory.
    if (log.unfinished === 0 && this.attempts.isAnyUnderWay) return 'attempts of other partitions';
    return this.gates.waitsFor(log);
  }

  onOwned(log: FencedLog): void {
    this.owned++;
    this.gates.setShare(this.owned / log.partitions);
    void this.owners.take(log, this, (lanes) => this.startDrains(lanes));
  }

  onRecordsLost(log: FencedLog): void {
    this.owners.recordsLost(log);
  }

  /** Attempts under way finish, and what they caused is stored; nothing new is begun. */
  async onRebalancing(): Promise<void> {
    this.gates.halt(true);
    while (this.turns.size > 0) await new Promise((resolve) => setTimeout(resolve, DRAINED_CHECK_MS));
  }

  onRebalanced(): void {
    this.gates.halt(false);
  }

  onLost(log: FencedLog): void {
    this.owned--;
    this.gates.setShare(this.owned / log.partitions);
    this.owners.lose(log);
    this.attempts.abort(log);
    this.turns.delete(log);
    for (const delivery of this.memory.lost(log)) this.makeRoom(delivery);
  }

  isHeld(endpointId: string): boolean {
    return this.gates.holdOf(endpointId) !== undefined;
  }

  parkReason(endpointId: string): string {
    return this.gates.holdOf(endpointId) ?? 'head';
  }

  attempt(lane: ActiveLane, delivery: Delivery): void {
    const lanes = this.owners.of(delivery.log);
    if (lanes === undefined) return;
    if (this.recent.has(identity(delivery))) {
      metrics.repeats.inc();
      lanes.ended(lane, { verdict: 'over', isRepeat: true, dueAt: undefined, store: () => Promise.resolve() });
      return;
    }
    this.gates.of(delivery.meta.endpointId).ask({
      log: delivery.log,
      parkedAt: delivery.parkedAt,
      isProbe: lane.isProbe,
      begin: () => void this.makeAttempt(lanes, lane, delivery),
      withdraw: () => lanes.withdrawn(lane),
    });
  }

  async giveUp(delivery: Delivery, why = delivery.givenUp): Promise<void> {
    const expired = { reason: 'expired', detail: 'it was parked too long, or too many were' } as const;
    await this.producer.write([this.attempts.givenUp(delivery, why ?? expired)]);
  }

  async handOverAgain(delivery: Delivery, dueAt: number): Promise<void> {
    const now = Date.now();
    metrics.repeatedHandOvers.inc();
    await this.producer.write([waitingRecord(delivery, hopFor(dueAt - now, now))]);
  }

  turnEnded(log: OwnedLog): void {
    const left = (this.turns.get(log) ?? 0) - 1;
    if (left > 0) this.turns.set(log, left);
    else this.turns.delete(log);
  }

  finished(delivery: Delivery, isStale: boolean): void {
    if (isStale) metrics.stale.inc();
    delivery.log.finish(delivery.offset);
    if (this.memory.leave(delivery)) this.makeRoom(delivery);
  }

  private hold(delivery: Delivery, holdMs: number): void {
    const { log } = delivery;
    this.early.set(log, (this.early.get(log) ?? 0) + 1);
    setTimeout(() => {
      this.early.set(log, (this.early.get(log) ?? 0) - 1);
      this.arrived(delivery);
    }, holdMs);
  }

  private makeRoom(delivery: Delivery): void {
    this.gates.of(delivery.meta.endpointId).count(-this.memory.placesOf(delivery));
  }

  private arrived(delivery: Delivery): void {
    this.owners.of(delivery.log)?.arrived(delivery);
  }

  private startDrains(lanes: LogLanes): void {
    if (lanes.known.size === 0) return;
    void this.drainer.startAll(lanes);
  }

  private async makeAttempt(lanes: LogLanes, lane: ActiveLane, delivery: Delivery): Promise<void> {
    if (delivery.parkedAt !== undefined) metrics.drained.inc();
    const gate = this.gates.of(delivery.meta.endpointId);
    lane.hasBegun = true;
    this.turns.set(delivery.log, (this.turns.get(delivery.log) ?? 0) + 1);
    let outcome: Outcome | undefined;
    try {
      outcome = await this.attempts.make(delivery);
    } finally {
      gate.leave();
    }
    if (delivery.log.lost.aborted) return;
    if (outcome === undefined) {
      lanes.withdrawn(lane);
      return;
    }
    const { hop } = outcome;
    lanes.ended(lane, {
      verdict: hop ? 'retry' : 'over',
      dueAt: hop?.dueAt,
      store: () => this.store(delivery, outcome),
    });
  }

  private async store(delivery: Delivery, outcome: Outcome): Promise<void> {
    try {
      await this.producer.write(outcome.records);
      this.recent.add(identity(delivery));
    } catch (error) {
      // Not finished, so nothing is lost: the record is read again by whoever owns the partition next.
      this.logger.error({ err: error, delivery_id: delivery.meta.deliveryId }, 'delivery.not_stored');
      throw error;
    }
  }
}

/** What makes two records the same attempt of the same life of a delivery. */
function identity({ meta }: Delivery): string {
  return `${meta.deliveryId}/${meta.attempt}/${meta.replay}`;
}
