import { EAGER_TIER } from '#common/domain/tier.js';
import type { LogBatch, OwnedLog, OwnershipListener } from '#common/kafka/port/owned-log.js';
import { deadLetters } from '#common/metrics/dead-letters.js';
import { poisonRecord } from '#common/records/poison-record.js';
import type { InRecord, OutRecord } from '#common/records/record.js';
import { Alarm, type Clock } from './alarm.js';
import { lateness, moves, returns, type TierMemory } from './metrics.js';
import type { Returner } from './returner.js';
import { memoryOf, moveOf, readWaiting, returnOf, type WaitingDelivery } from './waiting.js';
import { WaitingRoom } from './waiting-room.js';
import { tierStep } from './wheel.js';

/** A record that is late by more than this is overdue: the stall watch may report its partition. */
const OVERDUE_MS = 5_000;

/** Memory limits, in bytes. */
export interface SchedulerLimits {
  /** Memory of the eager tier, for all its partitions together. */
  readonly eagerBytes: number;
  /** Memory of each partition of a tier that is not eager. */
  readonly tierBytes: number;
  /** Largest batch that Kafka accepts. */
  readonly batchBytes: number;
}

/**
 * Keeps waiting records in memory. When a record's time comes, writes it to `deliveries` or to the next tier
 * (docs/adr/0003-retry-wheel-of-topics.md). An offset finishes only after Kafka acknowledged the record in its next
 * topic. So a crash may repeat a return, but loses none.
 */
export class Scheduler implements OwnershipListener {
  private readonly eagerRoom: WaitingRoom;
  private readonly rooms = new Map<OwnedLog, WaitingRoom>();
  private readonly alarm: Alarm;
  private isHalted = false;

  constructor(
    private readonly returner: Returner,
    private readonly limits: SchedulerLimits,
    private readonly now: Clock,
  ) {
    this.eagerRoom = new WaitingRoom(limits.eagerBytes);
    this.alarm = new Alarm(now, () => this.tick());
  }

  onOwned(log: OwnedLog): void {
    const room = log.topic === EAGER_TIER.topic ? this.eagerRoom : new WaitingRoom(this.limits.tierBytes);
    room.open(log);
    this.rooms.set(log, room);
  }

  onLost(log: OwnedLog): void {
    this.rooms.get(log)?.close(log);
    this.rooms.delete(log);
    if (this.rooms.size === 0) this.alarm.clear();
  }

  async onRebalancing(): Promise<void> {
    this.isHalted = true;
    await this.returner.idle();
  }

  onRebalanced(): void {
    this.isHalted = false;
    this.tick();
  }

  /** Puts records into memory. Records that are due already leave with the next tick. */
  take({ log, records }: LogBatch): void {
    const room = this.rooms.get(log);
    if (room === undefined) return;
    const nowMs = this.now();
    for (const record of records) {
      const waiting = readWaiting(log, record, { readAt: nowMs, maxBatchBytes: this.limits.batchBytes });
      if (typeof waiting === 'string') void this.reject(room, log, record, waiting);
      else this.hold(room, waiting, nowMs);
    }
    this.alarm.set(room.nextAt);
  }

  /** The reason why this partition has unfinished records. Undefined when a record is overdue or being written. */
  waitsFor(log: OwnedLog): string | undefined {
    return this.rooms.get(log)?.isOnTime(log, this.now() - OVERDUE_MS) ? 'due times' : undefined;
  }

  /** Records and bytes in memory, by tier. */
  held(): TierMemory[] {
    const inUpperTiers = [...this.rooms].filter(([, room]) => room !== this.eagerRoom);
    const rooms = [[EAGER_TIER, this.eagerRoom] as const, ...inUpperTiers];
    return [...Map.groupBy(rooms, ([{ topic }]) => topic)].map(([tier, list]) => ({
      tier,
      records: list.reduce((sum, [, room]) => sum + room.records, 0),
      bytes: list.reduce((sum, [, room]) => sum + room.bytes, 0),
    }));
  }

  private hold(room: WaitingRoom, waiting: WaitingDelivery, nowMs: number): void {
    const step = tierStep(waiting, nowMs);
    room.put(waiting, step.kind === 'hold' ? step.until : nowMs);
  }

  private tick(): void {
    if (this.isHalted || this.rooms.size === 0) return;
    const nowMs = this.now();
    for (const room of this.rooms.values()) {
      for (let due = room.takeDue(nowMs); due; due = room.takeDue(nowMs)) void this.sendOn(room, due, nowMs);
      this.alarm.set(room.nextAt);
    }
    this.alarm.set(undefined);
  }

  private async sendOn(room: WaitingRoom, waiting: WaitingDelivery, nowMs: number): Promise<void> {
    const step = tierStep(waiting, nowMs);
    if (step.kind === 'hold') {
      room.release(waiting.bytes);
      room.put(waiting, step.until);
      return;
    }
    if (step.kind === 'move') {
      if (!(await this.writeAndFinish(room, waiting, moveOf(waiting, step.hop)))) return;
      moves.inc({ from: waiting.tier.topic, to: step.hop.tier.topic });
      return;
    }
    if (!(await this.writeAndFinish(room, waiting, returnOf(waiting)))) return;
    returns.inc({ tier: waiting.tier.topic });
    lateness.observe((this.now() - waiting.dueAt) / 1_000);
  }

  private async reject(room: WaitingRoom, log: OwnedLog, record: InRecord, detail: string): Promise<void> {
    const bytes = memoryOf(record);
    room.reserve(bytes);
    const deadLetter = poisonRecord(record, detail, this.now(), this.limits.batchBytes);
    if (!(await this.writeAndFinish(room, { log, offset: record.offset, bytes }, deadLetter))) return;
    deadLetters.inc({ reason: 'payload_error' });
  }

  /** Writes a record, then finishes the offset of the record it replaces. @returns false when this process lost the partition first */
  private async writeAndFinish(
    room: WaitingRoom,
    source: Pick<WaitingDelivery, 'log' | 'offset' | 'bytes'>,
    record: OutRecord,
  ): Promise<boolean> {
    const isSafe = await this.returner.writeUntilStored(record, source.log);
    if (isSafe) source.log.finish(source.offset);
    room.release(source.bytes);
    return isSafe;
  }
}
