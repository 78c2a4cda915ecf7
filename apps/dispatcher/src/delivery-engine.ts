import { Injectable } from '@nestjs/common';
import type { Positions } from '#common/domain/positions.js';
import { earlyMs } from '#common/domain/tier.js';
import type { FencedLog, OwnedLog, OwnershipListener } from '#common/kafka/port/owned-log.js';
import { delay } from '#common/timing/timing.js';
import { Attempts } from './attempts/attempts.js';
import type { Delivery } from './deliveries/delivery.js';
import { Deferrals } from './endpoints/deferrals.js';
import { Gates } from './endpoints/gates.js';
import { UnfinishedDeliveries } from './endpoints/unfinished-deliveries.js';
import { LogOwners } from './lanes/log-owners.js';

const DRAINED_CHECK_MS = 10;

/**
 * Connects the folders of the dispatcher. A delivery that was read counts as unfinished and enters its lane; the lane takes it
 * through its turn. Ownership of partitions reaches lanes, gates and attempts from here.
 */
@Injectable()
export class DeliveryEngine implements OwnershipListener {
  private owned = 0;
  /** By partition: returns that came before they are due. */
  private readonly early = new WeakMap<OwnedLog, number>();

  constructor(
    private readonly owners: LogOwners,
    private readonly gates: Gates,
    private readonly attempts: Attempts,
    private readonly unfinished: UnfinishedDeliveries,
    private readonly deferrals: Deferrals,
  ) {
    gates.listen({
      onHold: (endpointId, reason) => owners.hold(endpointId, reason !== undefined),
      onRoom: (endpointId) => deferrals.resume(endpointId),
      withLanes: () => owners.endpointsInUse(),
    });
  }

  /**
   * Takes a delivery over. A return that arrives before its due time is held until then: no attempt is early.
   *
   * @param appendedAt when the broker stored its record, ms since the epoch
   */
  accept(delivery: Delivery, appendedAt: number): void {
    this.unfinished.add(delivery);
    const { returned, dueAt = 0 } = delivery.meta;
    const holdMs = returned ? earlyMs(dueAt, { appendedAt, nowMs: Date.now() }) : 0;
    if (holdMs > 0) this.enterLater(delivery, holdMs);
    else this.enterLane(delivery);
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
    if (this.deferrals.has(log)) return 'room in the backlog of an endpoint';
    // If the partition is paused, then because deliveries of other partitions fill the memory.
    if (log.unfinished === 0 && this.attempts.isAnyUnderWay) return 'attempts of other partitions';
    return this.gates.waitsFor(log);
  }

  onOwned(log: FencedLog): void {
    this.owned++;
    this.gates.setShare(this.shareOf(log));
    void this.owners.take(log);
  }

  onRecordsLost(log: FencedLog): void {
    this.owners.recordsLost(log);
  }

  /** Attempts in flight finish, and their records are written; no attempt begins. */
  async onRebalancing(): Promise<void> {
    this.gates.halt(true);
    while (this.owners.turnsUnderWay > 0) await delay(DRAINED_CHECK_MS);
  }

  onRebalanced(): void {
    this.gates.halt(false);
  }

  onLost(log: FencedLog): void {
    this.owned--;
    this.gates.setShare(this.shareOf(log));
    this.owners.lose(log);
    this.attempts.abort(log);
    this.deferrals.lose(log);
    this.unfinished.lose(log);
  }

  private enterLater(delivery: Delivery, holdMs: number): void {
    const { log } = delivery;
    this.early.set(log, (this.early.get(log) ?? 0) + 1);
    setTimeout(() => {
      this.early.set(log, (this.early.get(log) ?? 0) - 1);
      this.enterLane(delivery);
    }, holdMs);
  }

  private enterLane(delivery: Delivery): void {
    this.owners.of(delivery.log)?.arrived(delivery);
  }

  /** At most 1: another operator may have added partitions. */
  private shareOf({ partitions }: FencedLog | OwnedLog): number {
    return Math.min(1, this.owned / partitions);
  }
}
