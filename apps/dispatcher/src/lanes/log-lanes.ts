import { Logger } from '@nestjs/common';
import { SlotMap } from '#common/collections/slot-map.js';
import { isOrderedLane } from '#common/domain/lane.js';
import {
  isIdle,
  type Lane,
  type LaneEffect,
  type LaneEvent,
  type LaneItem,
  type LaneTransaction,
  mustBeLoaded,
  newLane,
  stepLane,
} from '#common/domain/lane-machine.js';
import type { Positions } from '#common/domain/positions.js';
import type { FencedLog } from '#common/kafka/port/owned-log.js';
import type { LaneWrite, ParkedRecord } from '#common/postgres/lane-store.js';
import type { Delivery } from '../delivery.js';
import { bytesOf } from '../memory-budget.js';
import { headOf, parkedRecord, unparked } from '../parking.js';
import type { ReadAhead } from '../read-ahead.js';
import type { ActiveLane, Ended, LaneHost } from './active-lane.js';
import { KnownLanes } from './known-lanes.js';
import type { LaneJournal } from './lane-journal.js';
import { type RefusedWrite, settleRefused, unstorable } from './refused-write.js';

/** The lanes of one owned log: runs the lane protocol's state machines and performs what they ask for. */
export class LogLanes {
  private readonly logger = new Logger(LogLanes.name);
  private readonly active = new SlotMap<string, ActiveLane>();
  readonly known = new KnownLanes();
  /** No first record or replay below this position comes from the log any more. */
  private nextPosition: number;

  /**
   * @param name `topic/partition`, as the database knows the log
   * @param positions of the log's records; a record's place is its position
   */
  constructor(
    readonly name: string,
    readonly log: FencedLog,
    readonly positions: Positions,
    private readonly journal: LaneJournal,
    private readonly host: LaneHost,
    private readonly readAhead: ReadAhead,
  ) {
    this.nextPosition = positions.of(log.start);
  }

  arrived(delivery: Delivery): void {
    const position = this.positions.of(delivery.offset);
    this.nextPosition = Math.max(this.nextPosition, position + 1);
    const lane = this.lane(delivery.lane, delivery);
    const place = delivery.meta.place ?? position;
    this.run(lane, {
      type: 'arrived',
      item: { place, attempt: delivery.meta.attempt, offset: position, work: delivery },
    });
  }

  /** The endpoint takes nothing now, or takes again. */
  hold(endpointId: string, isHeld: boolean): void {
    for (const lane of this.active.values()) {
      if (lane.endpointId === endpointId) this.run(lane, { type: 'held', isHeld });
    }
  }

  /** Begins to drain a lane the database has rows of. @returns false when it is under way already */
  wake(name: string, endpointId: string, options: { isProbe?: boolean; expireUpTo?: number } = {}): boolean {
    const active = this.active.get(name);
    if (active && !options.isProbe && options.expireUpTo === undefined) return false;
    const lane = active ?? this.activate(name, endpointId, true);
    if (options.expireUpTo !== undefined) this.run(lane, { type: 'expired', place: options.expireUpTo });
    else if (options.isProbe) this.probe(lane);
    else this.run(lane, { type: 'held', isHeld: this.host.isHeld(endpointId) });
    return true;
  }

  /** The head of a lane is given up as an operator asked, as soon as no attempt of it is in flight. */
  skip(delivery: Delivery): void {
    const place = delivery.meta.place ?? this.positions.of(delivery.offset);
    const item = { place, attempt: delivery.meta.attempt, offset: undefined, work: delivery };
    this.run(this.lane(delivery.lane, delivery, true), { type: 'skipped', item });
  }

  ended(lane: ActiveLane, ended: Ended): void {
    lane.ended = ended;
    // A probe that sent nothing tells the breaker nothing: what is next in its lane goes in its place.
    if (!ended.isRepeat) this.endProbe(lane);
    this.run(lane, { type: 'attempted', verdict: ended.verdict });
  }

  withdrawn(lane: ActiveLane): void {
    this.endProbe(lane);
    this.run(lane, { type: 'withdrawn' });
  }

  /** The log is owned no more: nothing of it is held. */
  close(): void {
    for (const lane of this.active.values()) this.readAhead.hold(lane, 0);
  }

  private lane(name: string, delivery: Delivery, isAsked = this.known.has(name)): ActiveLane {
    return this.active.get(name) ?? this.activate(name, delivery.meta.endpointId, isAsked);
  }

  private activate(name: string, endpointId: string, isAsked: boolean): ActiveLane {
    const machine = newLane<Delivery>(isOrderedLane(name), !isAsked, this.host.isHeld(endpointId));
    const lane: ActiveLane = {
      name,
      endpointId,
      machine,
      dueAt: undefined,
      ended: undefined,
      hasBegun: false,
      isProbe: false,
      isReading: false,
      refusal: undefined,
      readBytes: 0,
    };
    this.active.set(name, lane);
    return lane;
  }

  /** Half-open: this lane alone is let through, and only until its attempt has begun. */
  private probe(lane: ActiveLane): void {
    lane.isProbe = true;
    this.run(lane, { type: 'held', isHeld: false });
  }

  private endProbe(lane: ActiveLane): void {
    if (!lane.isProbe) return;
    lane.isProbe = false;
    this.run(lane, { type: 'held', isHeld: this.host.isHeld(lane.endpointId) });
  }

  private run(lane: ActiveLane, event: LaneEvent<Delivery>): void {
    if (this.log.lost.aborted) return;
    const { current } = lane.machine;
    const effects = stepLane(lane.machine, event);
    if (lane.hasBegun && lane.machine.current !== current) {
      lane.hasBegun = false;
      this.host.turnEnded(this.log);
    }
    // What is over makes room before more is read, but for the room that was made for this.
    if (event.type !== 'roomMade') this.makeRoom(lane);
    for (const effect of effects) this.perform(lane, effect);
    if (event.type === 'roomMade') this.makeRoom(lane);
    this.forgetIfIdle(lane);
  }

  private makeRoom(lane: ActiveLane): void {
    if (!lane.isReading) this.readAhead.hold(lane, bytesRead(lane.machine));
  }

  private forgetIfIdle(lane: ActiveLane): void {
    if (!isIdle(lane.machine) || this.active.get(lane.name) !== lane) return;
    this.active.delete(lane.name);
    // A lane that waited long lies in the old generation: what it still pointed to would be promoted after it.
    lane.ended = undefined;
    if (mustBeLoaded(lane.machine, this.nextPosition)) this.known.add(lane.name);
    else this.known.delete(lane.name);
  }

  private perform(lane: ActiveLane, effect: LaneEffect<Delivery>): void {
    switch (effect.type) {
      case 'load':
        void this.load(lane);
        return;
      case 'attempt':
        this.host.attempt(lane, effect.item.work);
        return;
      case 'settle':
        this.after(lane, { type: 'settled' }, lane.ended?.store());
        return;
      case 'giveUp':
        this.after(lane, { type: 'settled' }, this.giveUp(lane, effect.item.work));
        return;
      case 'handOver':
        this.after(lane, { type: 'handedOver' }, this.handOver(lane, effect));
        return;
      case 'transact':
        void this.transact(lane, effect.transaction);
        return;
      case 'readPage':
        if (this.readAhead.tryEnter(lane)) void this.readPage(lane);
        else void this.waitForRoom(lane);
        return;
      case 'finish':
        this.host.finished(effect.item.work, effect.isStale);
        return;
    }
  }

  private after(lane: ActiveLane, event: LaneEvent<Delivery>, work: Promise<void> | undefined): void {
    // What could not be stored stays unfinished, and its lane waits: the next owner reads the record again.
    work?.then(
      () => this.run(lane, event),
      () => undefined,
    );
  }

  private async transact(lane: ActiveLane, transaction: LaneTransaction<Delivery>): Promise<void> {
    const write = this.toWrite(lane, transaction);
    const written = await this.journal.write(write);
    if (written === undefined) this.run(lane, { type: 'transacted' });
    else this.refused(lane, { transaction, write, error: written.error });
  }

  private giveUp(lane: ActiveLane, delivery: Delivery): Promise<void> {
    const { refusal } = lane;
    lane.refusal = undefined;
    return this.host.giveUp(delivery, refusal);
  }

  private refused(lane: ActiveLane, refused: Omit<RefusedWrite, 'lane'>): void {
    // As in `after`: what could not be stored stays unfinished.
    settleRefused({ lane, ...refused }, this.journal, this.host).then(
      (type) => {
        lane.refusal = type === 'refused' ? unstorable(refused.error) : undefined;
        this.run(lane, { type });
      },
      (error: unknown) => this.logger.error({ err: error, lane: lane.name }, 'lanes.refused_write_not_settled'),
    );
  }

  private async load(lane: ActiveLane): Promise<void> {
    lane.machine.isLoading = true;
    const { row, dueAt, lowestParked } = await this.journal.load(lane.name);
    lane.dueAt = dueAt;
    this.run(lane, { type: 'loaded', row, lowestParked });
  }

  private async readPage(lane: ActiveLane): Promise<void> {
    lane.isReading = true;
    const rows = await this.journal.readPage(lane.name);
    if (this.log.lost.aborted) return;
    lane.isReading = false;
    const items = rows.map((row) => parkedItem(this.log, row));
    this.readAhead.read(lane, totalBytes(items));
    if (rows.length === 0) this.endProbe(lane);
    this.run(lane, { type: 'pageRead', rows: items });
  }

  /** Meanwhile the lane goes on with all that is no draining: an attempt of it may be under way. */
  private async waitForRoom(lane: ActiveLane): Promise<void> {
    const room = this.readAhead.enter(lane, this.log.lost);
    this.run(lane, { type: 'pageRefused' });
    await room;
    this.run(lane, { type: 'roomMade' });
  }

  private handOver(
    lane: ActiveLane,
    effect: { item: LaneItem<Delivery>; attempt: number; isAgain: boolean },
  ): Promise<void> | undefined {
    if (!effect.isAgain) return lane.ended?.store();
    return this.host.handOverAgain(effect.item.work, lane.dueAt ?? 0);
  }

  private toWrite(lane: ActiveLane, transaction: LaneTransaction<Delivery>): LaneWrite {
    const { row, park, removeUpTo, remove } = transaction;
    const head = lane.machine.current?.item.work;
    const isRetry = row?.attempt !== undefined && lane.ended?.verdict === 'retry';
    if (row) lane.dueAt = isRetry ? lane.ended?.dueAt : undefined;
    return {
      lane: lane.name,
      endpointId: lane.endpointId,
      ...(row ? { row: { ...row, deliveryId: headOf(head), dueAt: lane.dueAt } } : {}),
      ...(park ? { park: park.map((item) => this.toRecord(lane, item)) } : {}),
      ...(removeUpTo === undefined ? {} : { removeUpTo }),
      ...(remove === undefined ? {} : { remove }),
    };
  }

  private toRecord(lane: ActiveLane, { place, attempt, work }: LaneItem<Delivery>): ParkedRecord {
    const hold = this.host.parkReason(lane.endpointId);
    return parkedRecord(work, { lane: lane.name, place, attempt, reason: hold, now: Date.now() });
  }
}

function parkedItem(log: FencedLog, row: ParkedRecord): LaneItem<Delivery> {
  const { place, attempt } = row;
  const work = unparked(log, row);
  return { place, attempt, offset: undefined, work, isUnreadable: work.unreadable !== undefined };
}

/** What a lane has in memory of parked rows. */
function bytesRead({ page, current }: Lane<Delivery>): number {
  const isRow = current !== undefined && current.item.offset === undefined;
  return totalBytes(page) + (isRow ? bytesOf(current.item.work) : 0);
}

function totalBytes(items: readonly LaneItem<Delivery>[]): number {
  return items.reduce((sum, { work }) => sum + bytesOf(work), 0);
}
