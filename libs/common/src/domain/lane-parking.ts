import { judge } from './lane-judgement.js';
import { hasHead, type Lane, type LaneEffect, type LaneItem, rowStored, transact } from './lane-state.js';
import { begin, giveUp } from './lane-turn.js';

/**
 * Rules 4 and 6: what must wait goes to the database, lowest first, and never past a record that is under way unnamed.
 *
 * @returns false when there is nothing to do now
 */
export function park<Work>(lane: Lane<Work>, effects: LaneEffect<Work>[]): boolean {
  if (lane.transaction !== undefined) return false;
  const count = parkable(lane);
  if (count === 0) {
    lane.isSpilling = false;
    return false;
  }
  const items = lane.queue.splice(0, count);
  const { current } = lane;
  const isUnnamed = lane.isOrdered && current?.item.offset !== undefined && !hasHead(lane);
  const named = isUnnamed ? { place: current.item.place, attempt: current.item.attempt } : undefined;
  // From now on a later record waits: it must not overtake those on their way to the database.
  lane.hasParked = true;
  transact(lane, { park: items, ...(named ? { row: named } : {}) }, effects, (then) => {
    if (named) rowStored(lane, named);
    const lowest = Math.min(...items.map(({ place }) => place));
    // The head itself was parked, by a hold: the next drain must look at it, and not at what was read before.
    if (lane.row && lowest <= lane.row.place) lane.isBlocked = false;
    lane.page = lane.page.filter(({ place }) => place < lowest);
    for (const item of items) then.push({ type: 'finish', item, isStale: false });
  });
  return true;
}

/** How many records at the front of the queue are to be parked now. */
function parkable<Work>(lane: Lane<Work>): number {
  const mustLeave = lane.isHeld || lane.isSpilling;
  let count = 0;
  for (const item of lane.queue) {
    const judgement = judge(lane, item);
    const isBehind = lane.current === undefined || item.place > lane.current.item.place;
    const isHead = hasHead(lane) && item.place === lane.row?.place;
    const follows = count > 0 && lane.isOrdered && !isHead;
    if (judgement !== 'wait' && !(judgement === 'go' && isBehind && (mustLeave || follows))) break;
    count++;
  }
  return count;
}

/**
 * Rule 5: the lowest parked row has its turn, once nothing holds the lane and its head is not elsewhere.
 *
 * @returns false when there is nothing to do now
 */
export function drain<Work>(lane: Lane<Work>, effects: LaneEffect<Work>[]): boolean {
  if (lane.transaction || lane.isStarved || !lane.hasParked || lane.isBlocked) return false;
  if (lane.isHeld && !mayGiveUp(lane)) return false;
  const [item] = lane.page;
  if (item === undefined) return readPage(lane, effects);
  const { toSkip } = lane;
  const skipped = toSkip?.place === item.place ? toSkip : undefined;
  const isGivenUp = skipped !== undefined || item.place <= lane.expiredUpTo;
  if (lane.isHeld && !isGivenUp) {
    lane.page = [];
    lane.expiredUpTo = -1;
    lane.toSkip = undefined;
    return false;
  }
  const judgement = judge(lane, item);
  if (judgement === 'wait') {
    lane.isBlocked = true;
    lane.page = [];
    return false;
  }
  lane.page.shift();
  if (isGivenUp && judgement === 'go') giveUp(lane, skipped ?? item, effects);
  else begin(lane, item, judgement, effects);
  return true;
}

/** Whether parked rows may be over without an attempt, which a hold does not keep. */
function mayGiveUp<Work>(lane: Lane<Work>): boolean {
  return lane.expiredUpTo >= 0 || lane.toSkip !== undefined;
}

function readPage<Work>(lane: Lane<Work>, effects: LaneEffect<Work>[]): boolean {
  lane.transaction = () => undefined;
  effects.push({ type: 'readPage' });
  return true;
}

/** The lowest parked rows were read; what was read before a hold is dropped: what is parked meanwhile may be lower. */
export function pageRead<Work>(lane: Lane<Work>, rows: readonly LaneItem<Work>[]): void {
  if (rows.length === 0) lane.hasParked = false;
  lane.page = lane.isHeld && !mayGiveUp(lane) ? [] : [...rows];
}

export function hold<Work>(lane: Lane<Work>, isHeld: boolean): void {
  lane.isHeld = isHeld;
  if (isHeld) lane.page = [];
  // After a hold the lowest parked row is judged even if a head is named: it may be that head.
  else lane.isBlocked = false;
}
