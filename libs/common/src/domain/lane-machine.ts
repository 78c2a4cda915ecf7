import { judge, needsRow } from './lane-judgement.js';
import { drain, hold, pageRead, park } from './lane-parking.js';
import { type Current, hasHead, type Lane, type LaneEffect, type LaneItem, type LaneRow } from './lane-state.js';
import { begin, continueTurn, giveUp, putBack, refuseHead } from './lane-turn.js';

/*
 * The lane protocol (docs/lane-protocol.md) as a state machine: deterministic, free of I/O. One Lane is the state of one unit
 * of order in the memory of its owner; stepLane takes an event and returns the effects it wants. The shell performs them
 * and answers each with its event.
 *
 * A lane is flowing while it has no head and no parked rows: then nothing here asks for the database. Places, not
 * delivery ids, decide what is over.
 */

export type { Lane, LaneEffect, LaneItem, LaneRow, LaneTransaction } from './lane-state.js';

/** What the database knows of a lane, with the place of its lowest parked row. */
interface Loaded {
  readonly type: 'loaded';
  readonly row: LaneRow | undefined;
  readonly lowestParked: number | undefined;
}

export type LaneEvent<Work> =
  /** A record was read from the log. Events of one lane come in log order. */
  | { readonly type: 'arrived'; readonly item: LaneItem<Work> }
  | Loaded
  /** The attempt is over: its delivery is (delivered or given up), or it must be tried again. */
  | { readonly type: 'attempted'; readonly verdict: 'over' | 'retry' }
  /** The attempt was not begun, and will not be: its endpoint began to hold before it had room for it. */
  | { readonly type: 'withdrawn' }
  /** What the attempt's end caused is stored. */
  | { readonly type: 'settled' }
  /** The tier has the record. */
  | { readonly type: 'handedOver' }
  | { readonly type: 'transacted' }
  /** The database can never name the delivery whose turn it is as the head. Nothing of the transaction is stored. */
  | { readonly type: 'refused' }
  /** The lowest parked rows, ascending; none when there are none left. */
  | { readonly type: 'pageRead'; readonly rows: readonly LaneItem<Work>[] }
  /** The page is not read: memory is short. */
  | { readonly type: 'pageRefused' }
  /** A page would be read now. */
  | { readonly type: 'roomMade' }
  /** The endpoint takes nothing for now, or takes again. */
  | { readonly type: 'held'; readonly isHeld: boolean }
  /** Memory is short: what waits here goes to the database. */
  | { readonly type: 'spilled' }
  /** Parked rows at or below this place are to be given up, not attempted. */
  | { readonly type: 'expired'; readonly place: number }
  /** The head, or without one the first parked row, is to be given up; what is known of it came from elsewhere. */
  | { readonly type: 'skipped'; readonly item: LaneItem<Work> };

/**
 * @param isKnown true when the database has neither a head nor parked rows of this lane, nor a row at or above the place
 *   of any first record or replay that may still arrive. False: it is asked before anything is judged. Returns of an
 *   ordered lane are never judged before its row is known
 */
export function newLane<Work>(isOrdered: boolean, isKnown: boolean, isHeld: boolean): Lane<Work> {
  return {
    isOrdered,
    isLoaded: isKnown,
    isRowKnown: isKnown && !isOrdered,
    isLoading: false,
    isHeld,
    row: undefined,
    hasParked: false,
    isBlocked: false,
    isStarved: false,
    isSpilling: false,
    expiredUpTo: -1,
    toSkip: undefined,
    queue: [],
    page: [],
    current: undefined,
    transaction: undefined,
  };
}

/** Nothing is under way and nothing waits in memory. Such a lane may be forgotten; see {@link mustBeLoaded}. */
export function isIdle<Work>(lane: Lane<Work>): boolean {
  const isWaiting = lane.isLoading || lane.isStarved || lane.transaction !== undefined;
  return !isWaiting && !lane.current && lane.queue.length === 0 && lane.page.length === 0;
}

/** The database has a head or parked rows. */
export function isParked<Work>(lane: Lane<Work>): boolean {
  return lane.hasParked || hasHead(lane);
}

/**
 * Once forgotten, the lane must be loaded before anything is judged: it is parked, or its row may call over what is
 * still to be read. That is so after a predecessor parked records and died before the commit: they are drained here
 * first, and then read once more.
 *
 * @param nextPosition of the log, the first that was not read yet
 */
export function mustBeLoaded<Work>(lane: Lane<Work>, nextPosition: number): boolean {
  return isParked(lane) || (lane.row !== undefined && lane.row.place >= nextPosition);
}

/**
 * Takes one event. The lane is changed in place; the effects are to be performed in order.
 *
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
      enter(lane, 'attempting', 'decided').verdict = event.verdict;
      return;
    case 'withdrawn':
      putBack(lane, enter(lane, 'attempting', 'decided'));
      return;
    case 'settled':
      enter(lane, 'settling', 'settled');
      return;
    case 'handedOver':
      enter(lane, 'handing', 'handed');
      return;
    case 'transacted':
    case 'pageRead':
      endTransaction(lane, event, effects);
      return;
    case 'refused':
      refuseHead(lane, enter(lane, 'naming', 'settling'), effects);
      return;
    default:
      constrain(lane, event);
  }
}

/** Events about memory, holds and operators' commands: they limit what the lane may do next. */
function constrain<Work>(lane: Lane<Work>, event: Constraint<Work>): void {
  switch (event.type) {
    case 'pageRefused':
      lane.transaction = undefined;
      lane.isStarved = true;
      return;
    case 'roomMade':
      lane.isStarved = false;
      return;
    case 'held':
      hold(lane, event.isHeld);
      return;
    case 'spilled':
      lane.isSpilling = true;
      return;
    case 'expired':
      lane.expiredUpTo = Math.max(lane.expiredUpTo, event.place);
      return;
    case 'skipped':
      lane.toSkip = event.item;
      return;
  }
}

/** One more thing that can be done now. @returns false when there is none */
function advance<Work>(lane: Lane<Work>, effects: LaneEffect<Work>[]): boolean {
  if (lane.isLoading) return false;
  if (!lane.isLoaded) return load(lane, effects);
  if (lane.current !== undefined && continueTurn(lane, lane.current, effects)) return true;
  if (park(lane, effects)) return true;
  return lane.current === undefined && (skip(lane, effects) || takeFromQueue(lane, effects) || drain(lane, effects));
}

/** While the database is asked nothing else of the lane is done: the answer must not be older than what is. */
function load<Work>(lane: Lane<Work>, effects: LaneEffect<Work>[]): boolean {
  lane.isLoading = true;
  effects.push({ type: 'load' });
  return true;
}

function loaded<Work>(lane: Lane<Work>, { row, lowestParked }: Loaded): void {
  // Asked for twice: by now more may be known here than this answer tells.
  if (!lane.isLoading) return;
  lane.isLoading = false;
  lane.isLoaded = true;
  lane.isRowKnown = true;
  lane.row = row;
  lane.hasParked = lowestParked !== undefined;
  // What is parked above the head waits for it; at or below its place the head itself may be parked, or what is over.
  lane.isBlocked = row?.attempt !== undefined && !(lowestParked !== undefined && lowestParked <= row.place);
}

function takeFromQueue<Work>(lane: Lane<Work>, effects: LaneEffect<Work>[]): boolean {
  const [item] = lane.queue;
  if (item === undefined) return false;
  if (needsRow(lane, item)) return lane.transaction === undefined && load(lane, effects);
  const judgement = judge(lane, item);
  if (judgement === 'wait' || (judgement === 'go' && lane.isHeld)) return false;
  lane.queue.shift();
  begin(lane, item, judgement, effects);
  return true;
}

/** The head is given up where it waits; its record, when it comes, is stale. A parked row is left for draining to find. */
function skip<Work>(lane: Lane<Work>, effects: LaneEffect<Work>[]): boolean {
  const { toSkip } = lane;
  if (toSkip === undefined) return false;
  if (!hasHead(lane) && lane.hasParked && judge(lane, toSkip) === 'go') return false;
  lane.toSkip = undefined;
  if (!hasHead(lane) || lane.row?.place !== toSkip.place) return false;
  giveUp(lane, toSkip, effects);
  return true;
}

function endTransaction<Work>(
  lane: Lane<Work>,
  event: { type: 'transacted' } | { type: 'pageRead'; rows: readonly LaneItem<Work>[] },
  effects: LaneEffect<Work>[],
): void {
  const then = lane.transaction;
  if (then === undefined) throw new Error(`${event.type} without a transaction`);
  lane.transaction = undefined;
  then(effects);
  if (event.type === 'pageRead') pageRead(lane, event.rows);
}

function enter<Work>(lane: Lane<Work>, from: Current<Work>['stage'], to: Current<Work>['stage']): Current<Work> {
  const { current } = lane;
  if (current?.stage !== from) throw new Error(`a lane cannot go from ${current?.stage ?? 'idle'} to ${to}`);
  current.stage = to;
  return current;
}
