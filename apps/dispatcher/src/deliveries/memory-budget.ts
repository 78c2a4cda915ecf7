import { Inject, Injectable } from '@nestjs/common';
import { Bag } from '#common/collections/bag.js';
import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import type { Delivery } from './delivery.js';
import * as metrics from './metrics.js';

/** DI token of {@link MemoryLimits}. */
export const MEMORY_LIMITS = Symbol('MemoryLimits');

export interface MemoryLimits {
  /** Deliveries of one endpoint that may be in memory, large ones counted several times, before it is suspected of being slower than its traffic. */
  readonly endpointQueue: number;
  /** It is slow when they would take longer than this, in ms. */
  readonly slowAfterMs: number;
  /** Bytes of all deliveries from the logs that may be in memory. */
  readonly bytes: number;
}

/** Bytes of a delivery in memory in addition to its body; generous. */
const DELIVERY_OVERHEAD_BYTES = 1_024;
/** One endpoint's share of the memory: a hanging endpoint with large bodies leaves room for the others. */
const SHARE_OF_ENDPOINT = 1 / 4;

/** Bytes of a delivery in memory; generous. */
export function bytesOf({ body }: Pick<Delivery, 'body'>): number {
  return body.length + DELIVERY_OVERHEAD_BYTES;
}

/**
 * Limits the bytes of deliveries that were read from the logs and are not finished. Beyond the limit all partitions pause, and
 * records wait in Kafka. `Backlog` limits the deliveries of one endpoint.
 */
@Injectable()
export class MemoryBudget {
  private readonly byLog = new Map<OwnedLog, Bag<Delivery>>();
  private isFull = false;
  private bytes = 0;
  private count = 0;
  private readonly bytesPerPlace: number;

  constructor(@Inject(MEMORY_LIMITS) private readonly limits: MemoryLimits) {
    this.bytesPerPlace = (limits.bytes * SHARE_OF_ENDPOINT) / limits.endpointQueue;
    metrics.exposeQueue(() => ({ deliveries: this.count, bytes: this.bytes }));
  }

  /** How many places of its endpoint's queue a delivery takes: a large one takes several. */
  placesOf(delivery: Delivery): number {
    return Math.ceil(bytesOf(delivery) / this.bytesPerPlace);
  }

  enter(delivery: Delivery): void {
    const { log } = delivery;
    const held = this.byLog.get(log) ?? new Bag();
    held.add(delivery);
    this.byLog.set(log, held);
    this.account(delivery, 1);
    if (this.bytes >= this.limits.bytes) this.isFull = true;
    if (this.isFull) for (const owned of this.byLog.keys()) owned.pause('memory');
  }

  /** @returns false when the delivery had left already */
  leave(delivery: Delivery): boolean {
    if (!this.byLog.get(delivery.log)?.delete(delivery)) return false;
    this.account(delivery, -1);
    if (this.isFull && this.bytes * 2 < this.limits.bytes) {
      this.isFull = false;
      for (const owned of this.byLog.keys()) owned.resume('memory');
    }
    return true;
  }

  /** @returns the deliveries that were in memory of a log that is owned no more */
  lost(log: OwnedLog): Delivery[] {
    const deliveries = [...(this.byLog.get(log) ?? [])];
    for (const delivery of deliveries) this.leave(delivery);
    this.byLog.delete(log);
    return deliveries;
  }

  private account(delivery: Delivery, sign: 1 | -1): void {
    this.count += sign;
    this.bytes += sign * bytesOf(delivery);
  }
}
