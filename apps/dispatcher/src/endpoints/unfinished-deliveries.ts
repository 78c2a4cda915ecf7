import { Injectable } from '@nestjs/common';
import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import type { Delivery } from '../deliveries/delivery.js';
import { MemoryBudget } from '../deliveries/memory-budget.js';
import { Gates } from './gates.js';

/**
 * Deliveries that were read from the logs and are not finished: each counts in the memory budget and in the backlog of its
 * endpoint.
 */
@Injectable()
export class UnfinishedDeliveries {
  constructor(
    private readonly memory: MemoryBudget,
    private readonly gates: Gates,
  ) {}

  add(delivery: Delivery): void {
    this.memory.enter(delivery);
    this.gates.of(delivery.meta.endpointId).count(this.memory.placesOf(delivery));
  }

  /** The record of the delivery, and all it caused, is safe: its offset finishes (docs/lane-protocol.md, rule 7). */
  finish(delivery: Delivery): void {
    delivery.log.finish(delivery.offset);
    if (this.memory.leave(delivery)) this.releasePlaces(delivery);
  }

  /** Another process owns the log: its deliveries leave the memory unfinished. */
  lose(log: OwnedLog): void {
    for (const delivery of this.memory.lost(log)) this.releasePlaces(delivery);
  }

  private releasePlaces(delivery: Delivery): void {
    this.gates.of(delivery.meta.endpointId).count(-this.memory.placesOf(delivery));
  }
}
