import { Inject, Injectable } from '@nestjs/common';
import type { OwnedLog } from '#common/kafka/port.js';
import type { Delivery } from './delivery.js';
import * as metrics from './metrics.js';

/** DI token of {@link MemoryLimits}. */
export const MEMORY_LIMITS = Symbol('MemoryLimits');

export interface MemoryLimits {
  /** Deliveries of one endpoint that may be in memory. */
  readonly endpointQueue: number;
  /** Bytes of all deliveries that may be in memory. */
  readonly bytes: number;
}

/** What a delivery costs in memory beside its body; generous. */
const DELIVERY_OVERHEAD_BYTES = 1_024;

/**
 * Keeps what waits in memory within its limits: partitions pause when one of their endpoints, or all of them together,
 * have too much in memory, and go on when half of that is gone.
 */
@Injectable()
export class Backpressure {
  private readonly byEndpoint = new Map<string, number>();
  private readonly logs = new Set<OwnedLog>();
  /** Partitions paused because of an endpoint, by that endpoint. */
  private readonly pausedBy = new Map<string, Set<OwnedLog>>();
  private isFull = false;
  private bytes = 0;
  private count = 0;

  constructor(@Inject(MEMORY_LIMITS) private readonly limits: MemoryLimits) {}

  entered(delivery: Delivery): void {
    this.logs.add(delivery.log);
    this.account(delivery, 1);
    const { endpointId } = delivery.meta;
    if ((this.byEndpoint.get(endpointId) ?? 0) >= this.limits.endpointQueue) {
      const paused = this.pausedBy.get(endpointId) ?? new Set();
      this.pausedBy.set(endpointId, paused.add(delivery.log));
      delivery.log.pause();
    }
    if (this.bytes >= this.limits.bytes) this.isFull = true;
    if (this.isFull) for (const log of this.logs) log.pause();
  }

  left(delivery: Delivery): void {
    this.account(delivery, -1);
    const { endpointId } = delivery.meta;
    const hasRoom = (this.byEndpoint.get(endpointId) ?? 0) * 2 < this.limits.endpointQueue;
    const wasHeld = hasRoom && this.pausedBy.delete(endpointId);
    const wasFull = this.isFull && this.bytes * 2 < this.limits.bytes;
    if (wasFull) this.isFull = false;
    if ((wasHeld || wasFull) && !this.isFull) this.resumeFree();
  }

  /** A partition is owned no more. Its deliveries still call {@link left}, each when it is dropped or over. */
  lost(log: OwnedLog): void {
    this.logs.delete(log);
    for (const paused of this.pausedBy.values()) paused.delete(log);
  }

  private account({ meta, body }: Delivery, sign: 1 | -1): void {
    const waiting = (this.byEndpoint.get(meta.endpointId) ?? 0) + sign;
    if (waiting === 0) this.byEndpoint.delete(meta.endpointId);
    else this.byEndpoint.set(meta.endpointId, waiting);
    this.count += sign;
    this.bytes += sign * (body.length + DELIVERY_OVERHEAD_BYTES);
    metrics.queued.set(this.count);
    metrics.queuedBytes.set(this.bytes);
  }

  private resumeFree(): void {
    const held = new Set([...this.pausedBy.values()].flatMap((logs) => [...logs]));
    for (const log of this.logs) if (!held.has(log)) log.resume();
  }
}
