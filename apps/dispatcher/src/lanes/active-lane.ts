import { Logger } from '@nestjs/common';
import { isOrderedLane } from '#common/domain/lane.js';
import {
  type GiveUpCause,
  type Lane,
  type LaneEffect,
  type LaneEvent,
  type LaneItem,
  type LaneTransaction,
  newLane,
  stepLane,
} from '#common/domain/lane-machine.js';
import { pageOf } from '#common/domain/lane-state.js';
import type { FencedLog } from '#common/kafka/port/owned-log.js';
import { messageOf } from '#common/postgres/errors.js';
import type { LaneWrite, ParkedRecord } from '#common/postgres/lane-store.js';
import type { GivenUp, TurnEnd, TurnTaker } from '../attempts/turns.js';
import type { Delivery } from '../deliveries/delivery.js';
import { bytesOf } from '../deliveries/memory-budget.js';
import type { LaneCollaborators } from './lane-collaborators.js';
import type { LaneJournal } from './lane-journal.js';
import * as metrics from './metrics.js';
import { parkedRecord, unparked } from './parked-record.js';
import type { Reader } from './read-ahead.js';
import { type RefusedWrite, settleRefused, unstorable } from './refused-write.js';

/** Shared by the lanes of one log. */
export interface LaneHome extends LaneCollaborators {
  readonly log: FencedLog;
  readonly journal: LaneJournal;
  /** Lanes with an attempt begun whose consequences are not all stored. */
  turnsUnderWay: number;
  /** Removes the lane from the memory if it is idle. */
  forgetIfIdle(lane: ActiveLane): void;
}

const logger = new Logger('ActiveLane');
/** A row that cannot be read becomes a dead letter with a detail of its own. */
const CAUSES: Readonly<Record<Exclude<GiveUpCause['kind'], 'unstorable'>, GivenUp>> = {
  expired: { reason: 'expired', detail: 'it was parked too long, or too many were' },
  skipped: { reason: 'unrecoverable', detail: 'skipped by an operator' },
  unreadable: { reason: 'payload_error', detail: 'the parked row is malformed' },
};

/**
 * A lane with something in flight or queued. It feeds events to the lane's state machine, performs the effects, and answers
 * each effect with its event.
 */
export class ActiveLane implements Reader, TurnTaker {
  readonly machine: Lane<Delivery>;
  readBytes = 0;
  /** When the head is due, as its row says; ms since the epoch. */
  private dueAt: number | undefined;
  /** How the attempt of the present turn ended. */
  private end: TurnEnd | undefined;
  /** The attempt of the present turn was begun. */
  private hasBegun = false;
  /** The half-open breaker admits the next attempt of this lane. */
  private isProbe = false;
  /** A page of parked rows is being read. */
  private isReading = false;

  constructor(
    readonly name: string,
    readonly endpointId: string,
    private readonly home: LaneHome,
    /** See newLane(). */
    isKnown: boolean,
  ) {
    this.machine = newLane<Delivery>(isOrderedLane(name), isKnown, this.isEndpointHeld);
  }

  run(event: LaneEvent<Delivery>): void {
    if (this.home.log.lost.aborted) return;
    const item = this.machine.turn?.item;
    const effects = stepLane(this.machine, event);
    if (this.machine.turn?.item !== item) this.leaveTurn();
    // Bytes of finished deliveries are released before more is read. Exception: the room of `roomMade` is reserved already.
    if (event.type !== 'roomMade') this.releaseBytes();
    for (const effect of effects) this.perform(effect);
    if (event.type === 'roomMade') this.releaseBytes();
    this.home.forgetIfIdle(this);
  }

  /** The half-open breaker admits one attempt of this lane. */
  probe(): void {
    this.isProbe = true;
    this.run({ type: 'held', isHeld: false });
  }

  /** Asks the gate whether the endpoint holds; without a hold the lane drains. */
  wake(): void {
    this.run({ type: 'held', isHeld: this.isEndpointHeld });
  }

  began(): void {
    this.hasBegun = true;
    this.home.turnsUnderWay++;
  }

  ended(end: TurnEnd): void {
    this.end = end;
    // A repeat sent nothing, so the breaker learns nothing: the next delivery of the lane is the probe.
    if (end !== 'repeat') this.endProbe();
    this.run({ type: 'attempted', verdict: end !== 'repeat' && end.hop ? 'retry' : 'over' });
  }

  withdrawn(): void {
    this.endProbe();
    // The same delivery may begin its turn again within the step.
    this.leaveTurn();
    this.run({ type: 'withdrawn' });
  }

  /** The log is owned no more: the lane's bytes are free. */
  close(): void {
    this.home.readAhead.hold(this, 0);
  }

  private get isEndpointHeld(): boolean {
    return this.home.holds.holdOf(this.endpointId) !== undefined;
  }

  private endProbe(): void {
    if (!this.isProbe) return;
    this.isProbe = false;
    this.wake();
  }

  private leaveTurn(): void {
    // A lane that waited long lies in V8's old generation: an outcome it still points to would be promoted.
    this.end = undefined;
    if (!this.hasBegun) return;
    this.hasBegun = false;
    this.home.turnsUnderWay--;
  }

  private releaseBytes(): void {
    if (!this.isReading) this.home.readAhead.hold(this, bytesRead(this.machine));
  }

  private perform(effect: LaneEffect<Delivery>): void {
    switch (effect.type) {
      case 'load':
        void this.load();
        return;
      case 'attempt':
        this.home.turns.request(effect.item.work, this.isProbe, this);
        return;
      case 'settle':
        this.after({ type: 'settled' }, this.store(effect.item.work));
        return;
      case 'giveUp':
        this.after({ type: 'settled' }, this.giveUp(effect));
        return;
      case 'handOver':
        this.after({ type: 'handedOver' }, this.handOver(effect));
        return;
      case 'transact':
        void this.transact(effect.transaction);
        return;
      case 'readPage':
        if (this.home.readAhead.tryEnter(this)) void this.readPage();
        else void this.waitForRoom();
        return;
      case 'finish':
        if (effect.isStale) metrics.stale.inc();
        this.home.unfinished.finish(effect.item.work);
        return;
    }
  }

  private after(event: LaneEvent<Delivery>, work: Promise<void> | undefined): void {
    // A record that could not be stored stays unfinished, and its lane waits: the next owner reads it again.
    work?.then(
      () => this.run(event),
      () => undefined,
    );
  }

  private store(delivery: Delivery): Promise<void> | undefined {
    return this.end && this.home.turns.store(delivery, this.end);
  }

  private handOver({ item, isAgain }: { item: LaneItem<Delivery>; isAgain: boolean }): Promise<void> | undefined {
    if (!isAgain) return this.store(item.work);
    return this.home.turns.handOverAgain(item.work, this.dueAt ?? 0);
  }

  private giveUp({ item, cause }: { item: LaneItem<Delivery>; cause: GiveUpCause }): Promise<void> {
    return this.home.turns.giveUp(
      item.work,
      cause.kind === 'unstorable' ? unstorable(cause.detail) : CAUSES[cause.kind],
    );
  }

  private async transact(transaction: LaneTransaction<Delivery>): Promise<void> {
    const write = this.toWrite(transaction);
    const written = await this.home.journal.write(write);
    if (written === undefined) this.run({ type: 'transacted' });
    else this.settleRefused({ transaction, write, error: written.error });
  }

  private settleRefused(refused: Omit<RefusedWrite, 'isNaming'>): void {
    const isNaming = this.machine.pending?.kind === 'naming';
    // As in `after`: a record that could not be stored stays unfinished.
    settleRefused({ ...refused, isNaming }, this.home.journal, this.home.turns).then(
      (type) => this.run(type === 'refused' ? { type, detail: messageOf(refused.error) } : { type }),
      (error: unknown) => logger.error({ err: error, lane: this.name }, 'lanes.refused_write_not_settled'),
    );
  }

  private async load(): Promise<void> {
    const { row, dueAt, lowestParked } = await this.home.journal.load(this.name);
    this.dueAt = dueAt;
    this.run({ type: 'loaded', row, lowestParked });
  }

  private async readPage(): Promise<void> {
    const { log, journal, readAhead } = this.home;
    this.isReading = true;
    const rows = await journal.readPage(this.name);
    if (log.lost.aborted) return;
    this.isReading = false;
    const items = rows.map((row) => parkedItem(log, row));
    readAhead.read(this, totalBytes(items));
    if (rows.length === 0) this.endProbe();
    this.run({ type: 'pageRead', rows: items });
  }

  /** While the lane waits for room it does all but drain: an attempt of it may be in flight. */
  private async waitForRoom(): Promise<void> {
    const room = this.home.readAhead.enter(this, this.home.log.lost);
    this.run({ type: 'pageRefused' });
    await room;
    this.run({ type: 'roomMade' });
  }

  private toWrite({ row, park, removeUpTo, remove }: LaneTransaction<Delivery>): LaneWrite {
    const head = this.machine.turn?.item.work;
    if (row) this.dueAt = row.attempt === undefined || this.end === 'repeat' ? undefined : this.end?.hop?.dueAt;
    return {
      lane: this.name,
      endpointId: this.endpointId,
      ...(row ? { row: { ...row, deliveryId: head?.meta.deliveryId ?? '', dueAt: this.dueAt } } : {}),
      ...(park ? { park: park.map((item) => this.toRecord(item)) } : {}),
      ...(removeUpTo === undefined ? {} : { removeUpTo }),
      ...(remove === undefined ? {} : { remove }),
    };
  }

  private toRecord({ place, attempt, work }: LaneItem<Delivery>): ParkedRecord {
    const reason = this.home.holds.holdOf(this.endpointId) ?? 'head';
    return parkedRecord(work, { lane: this.name, place, attempt, reason, now: Date.now() });
  }
}

function parkedItem(log: FencedLog, row: ParkedRecord): LaneItem<Delivery> {
  const { place, attempt } = row;
  const work = unparked(log, row);
  return { place, attempt, offset: undefined, work, isUnreadable: work.unreadable !== undefined };
}

/** Parked rows of a lane in memory. */
function bytesRead(lane: Lane<Delivery>): number {
  const { turn } = lane;
  const page = pageOf(lane);
  const isRow = turn !== undefined && turn.item.offset === undefined;
  return (page ? totalBytes(page) : 0) + (isRow ? bytesOf(turn.item.work) : 0);
}

function totalBytes(items: readonly LaneItem<Delivery>[]): number {
  return items.reduce((sum, { work }) => sum + bytesOf(work), 0);
}
