import { judge, needsRow } from './lane-judgement.js';
import { drain, hold, pageRead, park, parked, skip } from './lane-parking.js';
import {
  type HandOver,
  headOf,
  type Lane,
  type LaneEffect,
  type LaneItem,
  type LaneRow,
  noteParked,
  type OpenTurn,
  pageOf,
  rowStored,
} from './lane-state.js';
import { begin, closed, continueTurn, endTurn, headNamed, headRefused, putBack } from './lane-turn.js';

/*
 * The lane protocol (docs/lane-protocol.md) as a state machine: deterministic, and free of I/O. stepLane takes one event,
 * mutates the lane and returns the effects it wants. The shell performs them and answers each with its event.
 *
 * A flowing lane asks nothing of PostgreSQL. Places, not delivery ids, decide what is over.
 */

export type { GiveUpCause, Lane, LaneEffect, LaneItem, LaneRow, LaneTransaction } from './lane-state.js';

/** The lane row, and the place of the lowest parked row, as PostgreSQL has them. */
interface Loaded {
  readonly type: 'loaded';
  readonly row: LaneRow | undefined;
  readonly lowestParked: number | undefined;
}

export type LaneEvent<Work> =
  /** A record was read from the log. Events of one lane come in log order. */
  | { readonly type: 'arrived'; readonly item: LaneItem<Work> }
  | Loaded
  /** The attempt ended: its delivery is over (delivered or dead), or must be attempted again. */
  | { readonly type: 'attempted'; readonly verdict: 'over' | 'retry' }
  /** Nothing was sent: the endpoint holds, or a key of it is missing. */
  | { readonly type: 'withdrawn' }
  /** The outcome of the attempt, or the dead letter, is stored. */
  | { readonly type: 'settled' }
  /** The tier has the record. */
  | { readonly type: 'handedOver' }
  | { readonly type: 'transacted' }
  /**
   * PostgreSQL can never name the delivery of the turn as the head. Nothing of the transaction is stored. `detail` has the
   * reason, for operators.
   */
  | { readonly type: 'refused'; readonly detail: string }
  /** The lowest parked rows, ascending; none when there are none left. */
  | { readonly type: 'pageRead'; readonly rows: readonly LaneItem<Work>[] }
  /** The page is not read: memory is short. */
  | { readonly type: 'pageRefused' }
  /** A page would be read now. */
  | { readonly type: 'roomMade' }
  /** The endpoint began to hold, or its hold ended. */
  | { readonly type: 'held'; readonly isHeld: boolean }
  /** Parked rows at or below this place are to be given up, not attempted. */
  | { readonly type: 'expired'; readonly place: number }
  /** The head, or without one the first parked row, is to be given up. The item was read from elsewhere. */
  | { readonly type: 'skipped'; readonly item: LaneItem<Work> };

/**
 * @param isKnown true when the database has neither a head nor parked rows of this lane, nor a row at or above the place
 *   of any first record or replay that may still arrive. False: it is asked before anything is judged. Returns of an
 *   ordered lane are never judged before its row is known
 */
export function newLane<Work>(isOrdered: boolean, isKnown: boolean, isHeld: boolean): Lane<Work> {
  return {
    isOrdered,
    row: isKnown ? (isOrdered ? 'unread' : 'none') : 'unloaded',
    parked: 'none',
    queue: [],
    turn: undefined,
    pending: undefined,
    isHeld,
    expiredUpTo: undefined,
    toSkip: undefined,
  };
}

/** Nothing is in flight and nothing waits in memory. Such a lane may be forgotten; see {@link mustBeLoaded}. */
export function isIdle<Work>(lane: Lane<Work>): boolean {
  const isReading = lane.parked === 'waitingForRoom' || pageOf(lane) !== undefined;
  return !isReading && lane.pending === undefined && lane.turn === undefined && lane.queue.length === 0;
}

/** The database has a head or parked rows. */
export function isParked<Work>(lane: Lane<Work>): boolean {
  return lane.parked !== 'none' || headOf(lane) !== undefined;
}

/**
 * Whether a forgotten lane must be loaded before anything is judged. It must when it is parked, or when its row may call
 * unread records over. The latter happens when a predecessor parked records and died before the commit: they are drained
 * first, and then read again.
 *
 * @param nextPosition of the log, the first that was not read yet
 */
export function mustBeLoaded<Work>(lane: Lane<Work>, nextPosition: number): boolean {
  return isParked(lane) || (typeof lane.row === 'object' && lane.row.place >= nextPosition);
}

/**
 * Takes one event and mutates the lane.
 *
 * @returns effects, to be performed in order
 * @throws Error when the event does not fit the lane's state: the shell is broken
 */
export function stepLane<Work>(lane: Lane<Work>, event: LaneEvent<Work>): LaneEffect<Work>[] {
  const effects: LaneEffect<Work>[] = [];
  apply(lane, event, effects);
  while (advance(lane, effects));
  return effects;
}

type Constraint<Work> = Extract<
  LaneEvent<Work>,
  { type: 'pageRefused' | 'roomMade' | 'held' | 'spilled' | 'expired' | 'skipped' }
>;

function apply<Work>(lane: Lane<Work>, event: LaneEvent<Work>, effects: LaneEffect<Work>[]): void {
  switch (event.type) {
    case 'arrived':
      lane.queue.push(event.item);
      return;
    case 'loaded':
      loaded(lane, event);
      return;
    case 'attempted':
      attempted(openTurn(lane, 'attempting'), event.verdict, effects);
      return;
    case 'withdrawn':
      putBack(lane, openTurn(lane, 'attempting'));
      return;
    case 'settled':
      openTurn(lane, 'settling').stage = 'settled';
      return;
    case 'handedOver':
      handOverOf(lane).stage = 'handed';
      return;
    case 'transacted':
    case 'pageRead':
    case 'refused':
      answered(lane, event, effects);
      return;
    default:
      constrain(lane, event);
  }
}

/** Events about memory, holds and operators' commands: they limit what the lane may do next. */
function constrain<Work>(lane: Lane<Work>, event: Constraint<Work>): void {
  switch (event.type) {
    case 'pageRefused':
      if (lane.pending?.kind !== 'readingPage') throw new Error('pageRefused without a page being read');
      lane.pending = undefined;
      lane.parked = 'waitingForRoom';
      return;
    case 'roomMade':
      if (lane.parked === 'waitingForRoom') lane.parked = 'unread';
      return;
    case 'held':
      hold(lane, event.isHeld);
      return;
    case 'expired':
      lane.expiredUpTo = Math.max(lane.expiredUpTo ?? event.place, event.place);
      return;
    case 'skipped':
      lane.toSkip = event.item;
      return;
  }
}

/** One more thing that can be done now. @returns false when there is none */
function advance<Work>(lane: Lane<Work>, effects: LaneEffect<Work>[]): boolean {
  // While the row is read nothing else of the lane happens: the answer must not be older than the lane's state.
  if (lane.pending?.kind === 'loading') return false;
  if (lane.row === 'unloaded') return load(lane, effects);
  if (lane.turn !== undefined && continueTurn(lane, lane.turn, effects)) return true;
  if (park(lane, effects)) return true;
  return lane.turn === undefined && (skip(lane, effects) || takeFromQueue(lane, effects) || drain(lane, effects));
}

const LOADING = { kind: 'loading' } as const;

function load<Work>(lane: Lane<Work>, effects: LaneEffect<Work>[]): boolean {
  lane.pending = LOADING;
  effects.push({ type: 'load' });
  return true;
}

function loaded<Work>(lane: Lane<Work>, { row, lowestParked }: Loaded): void {
  // The lane was asked for twice: its state may be newer than this answer.
  if (lane.pending?.kind !== 'loading') return;
  lane.pending = undefined;
  lane.row = 'none';
  if (row) rowStored(lane, row);
  if (lowestParked !== undefined) noteParked(lane);
  else if (lane.parked !== 'waitingForRoom') lane.parked = 'none';
  // Rows parked above the head wait for it. At or below its place the head itself may be parked, or a delivery that is over.
  const head = headOf(lane);
  if (head && lowestParked !== undefined && lowestParked <= head.place) head.whereabouts = 'perhapsParked';
}

function attempted<Work>(turn: OpenTurn<Work>, verdict: 'over' | 'retry', effects: LaneEffect<Work>[]): void {
  if (verdict === 'retry') {
    turn.stage = 'failed';
    return;
  }
  turn.stage = 'settling';
  effects.push({ type: 'settle', item: turn.item });
}

function takeFromQueue<Work>(lane: Lane<Work>, effects: LaneEffect<Work>[]): boolean {
  const [item] = lane.queue;
  if (item === undefined) return false;
  if (needsRow(lane, item)) return lane.pending === undefined && load(lane, effects);
  const judgement = judge(lane, item);
  if (judgement === 'wait' || (judgement === 'go' && lane.isHeld)) return false;
  lane.queue.shift();
  begin(lane, item, judgement, effects);
  return true;
}

type Answer<Work> = Extract<LaneEvent<Work>, { type: 'transacted' | 'pageRead' | 'refused' }>;

/** PostgreSQL answered what was in flight. */
function answered<Work>(lane: Lane<Work>, event: Answer<Work>, effects: LaneEffect<Work>[]): void {
  const { pending, turn } = lane;
  if (pending === undefined) throw new Error(`${event.type} without a transaction`);
  lane.pending = undefined;
  if (pending.kind === 'readingPage' && event.type === 'pageRead') {
    pageRead(lane, event.rows);
  } else if (pending.kind === 'parking' && event.type === 'transacted') {
    parked(lane, pending, effects);
  } else if (pending.kind === 'naming' && event.type === 'refused' && turn) {
    headRefused(lane, turn, pending.followers, event.detail, effects);
  } else if (pending.kind === 'naming' && event.type === 'transacted' && turn) {
    headNamed(lane, turn, pending.followers, effects);
  } else if (pending.kind === 'closing' && event.type === 'transacted' && turn) {
    closed(lane, turn, effects);
  } else if (pending.kind === 'removing' && event.type === 'transacted') {
    endTurn(lane, effects);
  } else {
    throw new Error(`${event.type} while ${pending.kind}`);
  }
}

function openTurn<Work>({ turn }: Lane<Work>, stage: OpenTurn<Work>['stage']): OpenTurn<Work> {
  if (turn === undefined || turn.stage === 'handing' || turn.stage === 'handed' || turn.stage !== stage) {
    throw new Error(`a lane is ${turn?.stage ?? 'idle'}, and not ${stage}`);
  }
  return turn;
}

function handOverOf<Work>({ turn }: Lane<Work>): HandOver<Work> {
  if (turn?.stage !== 'handing') throw new Error(`a lane is ${turn?.stage ?? 'idle'}, and not handing`);
  return turn;
}
