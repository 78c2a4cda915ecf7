import { Injectable, Logger } from '@nestjs/common';
import { type FencedLog, type OwnedLog, RecordsGoneError } from '#common/kafka/port/owned-log.js';
import { DELIVERY_HEADER, decodeDelivery } from '#common/records/delivery-record.js';
import type { InRecord } from '#common/records/record.js';
import { delay } from '#common/timing/timing.js';
import type { Delivery } from '../deliveries/delivery.js';
import { Gates } from './gates.js';
import * as metrics from './metrics.js';
import { OffsetQueue } from './offset-queue.js';

/** Takes a deferred record that was read again. */
type TakeAgain = (log: FencedLog, record: InRecord) => void;

interface DeferredLog {
  /** Offsets of the deferred records, by endpoint. */
  readonly byEndpoint: Map<string, OffsetQueue>;
  isReading: boolean;
}

/** A deferred record takes about 60 bytes. Beyond this number, the partitions that defer pause. */
const MAX_DEFERRED = 200_000;
const RETRY_MS = 1_000;

/**
 * Records of endpoints whose backlog is full. Each leaves the memory, so that the partition goes on for other endpoints; its
 * offset stays unfinished. When the endpoint has room, the log is read again from its first deferred record on. Until
 * then all later records of the endpoint in this log are deferred, too: they keep their order.
 */
@Injectable()
export class Deferrals {
  private readonly logger = new Logger(Deferrals.name);
  private readonly logs = new Map<FencedLog, DeferredLog>();
  private count = 0;
  private isFull = false;
  private takeAgain: TakeAgain = () => undefined;

  constructor(private readonly gates: Gates) {
    metrics.exposeDeferred(() => this.count);
  }

  listen(takeAgain: TakeAgain): void {
    this.takeAgain = takeAgain;
  }

  /** Defers a delivery that was just read if its endpoint has no room, or has deferred deliveries in this log. @returns whether it did */
  defers({ log, offset, meta: { endpointId } }: Delivery): boolean {
    const known = this.logs.get(log)?.byEndpoint.get(endpointId);
    if (known === undefined && !this.gates.of(endpointId).isFull) return false;
    const queue = known ?? this.begin(log, endpointId);
    queue.add(offset);
    this.account(log, endpointId, 1);
    if (this.count >= MAX_DEFERRED) this.isFull = true;
    if (this.isFull) log.pause('deferrals');
    return true;
  }

  /** The endpoint has room. */
  resume(endpointId: string): void {
    for (const [log, deferred] of this.logs) {
      if (deferred.byEndpoint.has(endpointId)) void this.readAgain(log, deferred);
    }
  }

  /** Whether deliveries of this partition wait in the log for room. */
  has(log: OwnedLog): boolean {
    return (this.logs.get(log as FencedLog)?.byEndpoint.size ?? 0) > 0;
  }

  /** The next owner reads the records. */
  lose(log: FencedLog): void {
    const deferred = this.logs.get(log);
    this.logs.delete(log);
    for (const [endpointId, queue] of deferred?.byEndpoint ?? []) this.account(log, endpointId, -queue.size);
  }

  private begin(log: FencedLog, endpointId: string): OffsetQueue {
    const deferred = this.logs.get(log) ?? { byEndpoint: new Map(), isReading: false };
    this.logs.set(log, deferred);
    const queue = new OffsetQueue();
    deferred.byEndpoint.set(endpointId, queue);
    return queue;
  }

  private async readAgain(log: FencedLog, deferred: DeferredLog): Promise<void> {
    if (deferred.isReading) return;
    deferred.isReading = true;
    for (let from = this.firstWithRoom(deferred); from !== undefined; from = this.firstWithRoom(deferred)) {
      await this.readOnce(log, deferred, from);
      if (log.lost.aborted) return;
    }
    deferred.isReading = false;
  }

  private firstWithRoom({ byEndpoint }: DeferredLog): number | undefined {
    let lowest: number | undefined;
    for (const [endpointId, { first }] of byEndpoint) {
      if (first === undefined || first >= (lowest ?? Number.POSITIVE_INFINITY)) continue;
      if (!this.gates.of(endpointId).isFull) lowest = first;
    }
    return lowest;
  }

  private async readOnce(log: FencedLog, deferred: DeferredLog, from: number): Promise<void> {
    try {
      const { records, next } = await log.readAgain(from);
      if (log.lost.aborted) return;
      for (const record of records) this.take(log, deferred, record);
      if (next <= from) await delay(RETRY_MS);
    } catch (error) {
      this.logger.warn({ err: error, partition: log.partition, offset: from }, 'deferred.not_read');
      // Retention removed the records. The new owner counts them as lost, and makes the heads among them again.
      if (error instanceof RecordsGoneError) log.abandon();
      else await delay(RETRY_MS);
    }
  }

  private take(log: FencedLog, { byEndpoint }: DeferredLog, record: InRecord): void {
    const endpointId = decodeDelivery(record.headers[DELIVERY_HEADER])?.endpointId ?? '';
    const queue = byEndpoint.get(endpointId);
    if (queue?.first !== record.offset || this.gates.of(endpointId).isFull) return;
    queue.shift();
    if (queue.size === 0) byEndpoint.delete(endpointId);
    this.account(log, endpointId, -1);
    this.takeAgain(log, record);
  }

  private account(log: FencedLog, endpointId: string, change: number): void {
    this.count += change;
    log.deferred += change;
    this.gates.of(endpointId).countDeferred(change);
    if (!this.isFull || this.count * 2 > MAX_DEFERRED) return;
    this.isFull = false;
    for (const other of this.logs.keys()) other.resume('deferrals');
  }
}
