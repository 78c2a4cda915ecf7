import { judge } from './lane-judgement.js';
import {
  discardPage,
  type GiveUpCause,
  headOf,
  keepPage,
  type Lane,
  type LaneEffect,
  type LaneItem,
  noteParked,
  type Page,
  type Pending,
  pageOf,
  rowStored,
  transact,
} from './lane-state.js';
import { begin, giveUp } from './lane-turn.js';

const READING_PAGE = { kind: 'readingPage' } as const;
const EXPIRED: GiveUpCause = { kind: 'expired' };
const SKIPPED: GiveUpCause = { kind: 'skipped' };

/**
 * Rules 4 and 6: the owner parks waiting records in the order of the log. If an ordered lane has no head, the same transaction names
 * the record of the log that is in flight as head.
 *
 * @returns false when there is nothing to do now
 */
export function park<Work>(lane: Lane<Work>, effects: LaneEffect<Work>[]): boolean {
  if (lane.pending !== undefined) return false;
  const count = parkable(lane);
  if (count === 0) return false;
  const items = lane.queue.splice(0, count);
  const inFlight = lane.turn?.item;
  const isUnnamed = lane.isOrdered && inFlight?.offset !== undefined && !headOf(lane);
  const named = isUnnamed ? { place: inFlight.place, attempt: inFlight.attempt } : undefined;
  // A later record now waits. It must not overtake the records that this transaction parks.
  noteParked(lane);
  transact(lane, { kind: 'parking', items, named }, named ? { park: items, row: named } : { park: items }, effects);
  return true;
}

/** The records are parked: their offsets finish. */
export function parked<Work>(
  lane: Lane<Work>,
  { items, named }: Extract<Pending<Work>, { kind: 'parking' }>,
  effects: LaneEffect<Work>[],
): void {
  if (named) rowStored(lane, named);
  const lowest = Math.min(...items.map(({ place }) => place));
  // A hold parked the head itself. drain() must look for it among the parked rows.
  const head = headOf(lane);
  if (head && lowest <= head.place) head.whereabouts = 'perhapsParked';
  // A new row may lie within or below the page. The page keeps only the rows below it.
  const page = pageOf(lane);
  if (page)
    keepPage(
      lane,
      page.filter(({ place }) => place < lowest),
    );
  for (const item of items) effects.push({ type: 'finish', item, isStale: false });
}

/** How many records at the front of the queue are to be parked now. */
function parkable<Work>(lane: Lane<Work>): number {
  const head = headOf(lane);
  let count = 0;
  for (const item of lane.queue) {
    const judgement = judge(lane, item);
    const isBehind = lane.turn === undefined || item.place > lane.turn.item.place;
    const follows = count > 0 && lane.isOrdered && item.place !== head?.place;
    // A hold parks records judged `go`, too. So does a record parked before them in this batch. Without a hold, the head's own
    // return is not parked.
    if (judgement !== 'wait' && !(judgement === 'go' && isBehind && (lane.isHeld || follows))) break;
    count++;
  }
  return count;
}

/**
 * Rule 5: the lowest parked row has its turn. The endpoint must not hold, unless an expiry or a skip is due. The head must not be
 * in a tier, on its way back or in flight.
 *
 * @returns false when there is nothing to do now
 */
export function drain<Work>(lane: Lane<Work>, effects: LaneEffect<Work>[]): boolean {
  const { parked } = lane;
  if (lane.pending || parked === 'none' || parked === 'waitingForRoom') return false;
  const head = headOf(lane);
  if (head?.whereabouts === 'elsewhere' || (lane.isHeld && !mayGiveUp(lane))) return false;
  if (parked === 'unread') return readPage(lane, effects);
  return drainPage(lane, parked, effects);
}

/** Gives the turn to the lowest row of a page. @returns false when there is nothing to do now */
function drainPage<Work>(lane: Lane<Work>, page: Page<Work>, effects: LaneEffect<Work>[]): boolean {
  const [item] = page;
  const cause = causeToGiveUp(lane, item);
  if (lane.isHeld && cause === undefined) {
    discardPage(lane);
    lane.expiredUpTo = undefined;
    lane.toSkip = undefined;
    return false;
  }
  const judgement = judge(lane, item);
  if (judgement === 'wait') {
    discardPage(lane);
    const head = headOf(lane);
    if (head) head.whereabouts = 'elsewhere';
    return false;
  }
  keepPage(lane, page.slice(1));
  if (cause && judgement === 'go') giveUp(lane, cause === SKIPPED ? (lane.toSkip ?? item) : item, cause, effects);
  else begin(lane, item, judgement, effects);
  return true;
}

function causeToGiveUp<Work>({ toSkip, expiredUpTo }: Lane<Work>, { place }: LaneItem<Work>): GiveUpCause | undefined {
  if (toSkip?.place === place) return SKIPPED;
  return expiredUpTo !== undefined && place <= expiredUpTo ? EXPIRED : undefined;
}

/** Whether an expiry or a skip is due for this lane. Both give up parked rows even while the endpoint holds. */
function mayGiveUp<Work>(lane: Lane<Work>): boolean {
  return lane.expiredUpTo !== undefined || lane.toSkip !== undefined;
}

/**
 * Gives up the head that an operator skips. If its record returns from a tier later, the record is stale. Without a head,
 * drain() skips the parked row.
 */
export function skip<Work>(lane: Lane<Work>, effects: LaneEffect<Work>[]): boolean {
  const { toSkip } = lane;
  if (toSkip === undefined) return false;
  const head = headOf(lane);
  if (!head && lane.parked !== 'none' && judge(lane, toSkip) === 'go') return false;
  lane.toSkip = undefined;
  if (head?.place !== toSkip.place) return false;
  giveUp(lane, toSkip, SKIPPED, effects);
  return true;
}

function readPage<Work>(lane: Lane<Work>, effects: LaneEffect<Work>[]): boolean {
  lane.pending = READING_PAGE;
  effects.push({ type: 'readPage' });
  return true;
}

/**
 * The lowest parked rows were read. During a hold the lane discards them, unless an expiry or a skip is due: records parked
 * during the hold may have lower places.
 */
export function pageRead<Work>(lane: Lane<Work>, rows: readonly LaneItem<Work>[]): void {
  if (rows.length === 0) lane.parked = 'none';
  else if (!lane.isHeld || mayGiveUp(lane)) keepPage(lane, rows);
}

export function hold<Work>(lane: Lane<Work>, isHeld: boolean): void {
  lane.isHeld = isHeld;
  const head = headOf(lane);
  if (isHeld) discardPage(lane);
  // After a hold, drain() judges the lowest parked row even if the lane has a head. The row may be the head.
  else if (head) head.whereabouts = 'perhapsParked';
}
