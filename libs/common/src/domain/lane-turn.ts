import type { Judgement } from './lane-judgement.js';
import {
  discardPage,
  type GiveUpCause,
  headOf,
  type Lane,
  type LaneEffect,
  type LaneItem,
  noteParked,
  rowStored,
  type Turn,
  transact,
} from './lane-state.js';

const CLOSING = { kind: 'closing' } as const;
const REMOVING = { kind: 'removing' } as const;
const UNREADABLE: GiveUpCause = { kind: 'unreadable' };
const NO_FOLLOWERS = [] as const;

/** Carries out the judgement of rule 2. A record of the log that is over finishes as stale, without a turn. */
export function begin<Work>(
  lane: Lane<Work>,
  item: LaneItem<Work>,
  judgement: Exclude<Judgement, 'wait'>,
  effects: LaneEffect<Work>[],
): void {
  if (item.isUnreadable && judgement !== 'over') {
    giveUp(lane, item, UNREADABLE, effects);
  } else if (judgement === 'go') {
    lane.turn = { item, stage: 'attempting' };
    effects.push({ type: 'attempt', item });
  } else if (judgement === 'again') {
    handOver(lane, item, NO_FOLLOWERS, true, effects);
  } else if (item.offset === undefined) {
    // The parked row is stale. Stage `handed` removes it; no tier has it.
    lane.turn = { item, stage: 'handed', followers: NO_FOLLOWERS };
  } else {
    effects.push({ type: 'finish', item, isStale: true });
  }
}

export function giveUp<Work>(
  lane: Lane<Work>,
  item: LaneItem<Work>,
  cause: GiveUpCause,
  effects: LaneEffect<Work>[],
): void {
  lane.turn = { item, stage: 'settling' };
  effects.push({ type: 'giveUp', item, cause });
}

/** The attempt was not made: its item is again where it came from. */
export function putBack<Work>(lane: Lane<Work>, { item }: Turn<Work>): void {
  lane.turn = undefined;
  if (item.offset !== undefined) {
    lane.queue.unshift(item);
    return;
  }
  discardPage(lane);
  const head = headOf(lane);
  if (head) head.whereabouts = 'perhapsParked';
}

/**
 * The next step of the turn; some steps wait for the transaction in flight.
 *
 * @returns false when there is nothing to do now
 */
export function continueTurn<Work>(lane: Lane<Work>, turn: Turn<Work>, effects: LaneEffect<Work>[]): boolean {
  if (turn.stage === 'failed' && !lane.isOrdered) {
    handOver(lane, turn.item, NO_FOLLOWERS, false, effects);
    return true;
  }
  if (lane.pending !== undefined) return false;
  if (turn.stage === 'failed') return nameHead(lane, turn.item, effects);
  if (turn.stage === 'settled') return close(lane, turn.item, effects);
  if (turn.stage === 'handed') return removeSource(lane, turn.item, effects);
  return false;
}

/** Rule 3(a): the row names the head before the tier has it; what waits behind it is parked in the same transaction. */
function nameHead<Work>(lane: Lane<Work>, { place, attempt }: LaneItem<Work>, effects: LaneEffect<Work>[]): boolean {
  const followers = takeFollowers(lane, place);
  discardPage(lane);
  const row = { place, attempt: attempt + 1 };
  transact(lane, { kind: 'naming', followers }, { row, park: followers }, effects);
  return true;
}

function takeFollowers<Work>(lane: Lane<Work>, place: number): LaneItem<Work>[] {
  const followers = lane.queue.filter((waiting) => waiting.place > place);
  const rest = lane.queue.filter((waiting) => waiting.place <= place);
  lane.queue.splice(0, lane.queue.length, ...rest);
  return followers;
}

/** Rule 3(b): the row names the head, so the tier may have it. */
export function headNamed<Work>(
  lane: Lane<Work>,
  { item }: Turn<Work>,
  followers: readonly LaneItem<Work>[],
  effects: LaneEffect<Work>[],
): void {
  rowStored(lane, { place: item.place, attempt: item.attempt + 1 });
  if (followers.length > 0) noteParked(lane);
  handOver(lane, item, followers, false, effects);
}

/** A delivery that no row can name cannot wait for its next attempt in order: it is given up, and its followers go on. */
export function headRefused<Work>(
  lane: Lane<Work>,
  { item }: Turn<Work>,
  followers: readonly LaneItem<Work>[],
  detail: string,
  effects: LaneEffect<Work>[],
): void {
  lane.queue.unshift(...followers);
  giveUp(lane, item, { kind: 'unstorable', detail }, effects);
}

function handOver<Work>(
  lane: Lane<Work>,
  item: LaneItem<Work>,
  followers: readonly LaneItem<Work>[],
  isAgain: boolean,
  effects: LaneEffect<Work>[],
): void {
  lane.turn = { item, stage: 'handing', followers };
  effects.push({ type: 'handOver', item, attempt: item.attempt + 1, isAgain });
}

/** Rule 3(c): the tier has the record, or the parked row is stale. The owner removes the source, then finishes the followers' offsets. */
function removeSource<Work>(lane: Lane<Work>, item: LaneItem<Work>, effects: LaneEffect<Work>[]): boolean {
  if (item.offset === undefined) {
    transact(lane, REMOVING, { remove: { place: item.place, attempt: item.attempt } }, effects);
  } else {
    endTurn(lane, effects);
  }
  return true;
}

/** Rule 5: its outcome is stored, so its place is over. A lane that is not parked writes nothing to PostgreSQL. */
function close<Work>(lane: Lane<Work>, item: LaneItem<Work>, effects: LaneEffect<Work>[]): boolean {
  const { place } = item;
  if (item.offset !== undefined && !(lane.isOrdered && (lane.parked !== 'none' || headOf(lane)))) {
    endTurn(lane, effects);
  } else if (lane.isOrdered) {
    transact(lane, CLOSING, { row: { place, attempt: undefined }, removeUpTo: place }, effects);
  } else {
    transact(lane, CLOSING, { removeUpTo: place }, effects);
  }
  return true;
}

/** The parked rows up to the turn's place are removed. The row of an ordered lane says that the place is over. */
export function closed<Work>(lane: Lane<Work>, { item }: Turn<Work>, effects: LaneEffect<Work>[]): void {
  if (lane.isOrdered) rowStored(lane, { place: item.place, attempt: undefined });
  endTurn(lane, effects);
}

/** Rule 7: the offset of the turn's record finishes, then those of its followers. */
export function endTurn<Work>(lane: Lane<Work>, effects: LaneEffect<Work>[]): void {
  const { turn } = lane;
  if (turn === undefined) return;
  lane.turn = undefined;
  if (turn.item.offset !== undefined) effects.push({ type: 'finish', item: turn.item, isStale: false });
  if (turn.stage !== 'handing' && turn.stage !== 'handed') return;
  for (const item of turn.followers) effects.push({ type: 'finish', item, isStale: false });
}
