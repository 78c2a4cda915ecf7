import type { Judgement } from './lane-judgement.js';
import { type Current, hasHead, type Lane, type LaneEffect, type LaneItem, rowStored, transact } from './lane-state.js';

/** A delivery's turn begins, as the row judged it. */
export function begin<Work>(
  lane: Lane<Work>,
  item: LaneItem<Work>,
  judgement: Exclude<Judgement, 'wait'>,
  effects: LaneEffect<Work>[],
): void {
  if (item.isUnreadable && judgement !== 'over') {
    giveUp(lane, item, effects);
  } else if (judgement === 'go') {
    lane.current = { item, stage: 'attempting', verdict: 'over', followers: [] };
    effects.push({ type: 'attempt', item });
  } else if (judgement === 'again') {
    lane.current = { item, stage: 'handing', verdict: 'retry', followers: [] };
    effects.push({ type: 'handOver', item, attempt: item.attempt + 1, isAgain: true });
  } else if (item.offset === undefined) {
    lane.current = { item, stage: 'handed', verdict: 'retry', followers: [] };
  } else {
    effects.push({ type: 'finish', item, isStale: true });
  }
}

export function giveUp<Work>(lane: Lane<Work>, item: LaneItem<Work>, effects: LaneEffect<Work>[]): void {
  lane.current = { item, stage: 'settling', verdict: 'over', followers: [] };
  effects.push({ type: 'giveUp', item });
}

/** A delivery that no row can name cannot wait for its next attempt in order: it is given up, and its followers go on. */
export function refuseHead<Work>(lane: Lane<Work>, current: Current<Work>, effects: LaneEffect<Work>[]): void {
  lane.transaction = undefined;
  lane.queue.unshift(...current.followers);
  current.followers = [];
  current.verdict = 'over';
  effects.push({ type: 'giveUp', item: current.item });
}

/** The attempt was not made: its item is again where it came from. */
export function putBack<Work>(lane: Lane<Work>, { item }: Current<Work>): void {
  lane.current = undefined;
  if (item.offset !== undefined) {
    lane.queue.unshift(item);
    return;
  }
  lane.page = [];
  lane.isBlocked = false;
}

/**
 * What follows on an attempt's end, step by step; each waits for the transaction under way, if there is one.
 *
 * @returns false when there is nothing to do now
 */
export function continueTurn<Work>(lane: Lane<Work>, current: Current<Work>, effects: LaneEffect<Work>[]): boolean {
  const { item, stage, verdict } = current;
  if (stage === 'decided' && verdict === 'over') {
    current.stage = 'settling';
    effects.push({ type: 'settle', item });
    return true;
  }
  if (stage === 'named' || (stage === 'decided' && !lane.isOrdered)) {
    current.stage = 'handing';
    effects.push({ type: 'handOver', item, attempt: item.attempt + 1, isAgain: false });
    return true;
  }
  if (lane.transaction !== undefined) return false;
  if (stage === 'decided') return nameHead(lane, current, effects);
  if (stage === 'settled') return close(lane, current, effects);
  if (stage === 'handed') return afterHandOver(lane, current, effects);
  return false;
}

/** Rule 3(a): the row names the head before the tier has it; what waits behind it is parked in the same transaction. */
function nameHead<Work>(lane: Lane<Work>, current: Current<Work>, effects: LaneEffect<Work>[]): boolean {
  const { place, attempt } = current.item;
  const row = { place, attempt: attempt + 1 };
  current.followers = takeFollowers(lane, place);
  current.stage = 'naming';
  lane.page = [];
  transact(lane, { row, park: current.followers }, effects, () => {
    rowStored(lane, row);
    if (current.followers.length > 0) lane.hasParked = true;
    current.stage = 'named';
  });
  return true;
}

function takeFollowers<Work>(lane: Lane<Work>, place: number): LaneItem<Work>[] {
  const followers = lane.queue.filter((waiting) => waiting.place > place);
  const rest = lane.queue.filter((waiting) => waiting.place <= place);
  lane.queue.splice(0, lane.queue.length, ...rest);
  return followers;
}

/** Rule 3(c): the tier has the record, so its source may go, and after it those of the followers. */
function afterHandOver<Work>(lane: Lane<Work>, current: Current<Work>, effects: LaneEffect<Work>[]): boolean {
  const { item, followers } = current;
  const end = (then: LaneEffect<Work>[]) => {
    for (const follower of followers) then.push({ type: 'finish', item: follower, isStale: false });
    lane.current = undefined;
  };
  if (item.offset !== undefined) {
    effects.push({ type: 'finish', item, isStale: false });
    end(effects);
    return true;
  }
  current.stage = 'closing';
  transact(lane, { remove: { place: item.place, attempt: item.attempt } }, effects, end);
  return true;
}

/** Rule 5: its outcome is stored, so its place is over. A lane the database knows nothing of needs no word there. */
function close<Work>(lane: Lane<Work>, current: Current<Work>, effects: LaneEffect<Work>[]): boolean {
  const { item } = current;
  const isFromRow = item.offset === undefined;
  const end = (then: LaneEffect<Work>[]) => {
    if (!isFromRow) then.push({ type: 'finish', item, isStale: false });
    lane.current = undefined;
  };
  if (!isFromRow && !(lane.isOrdered && (lane.hasParked || hasHead(lane)))) {
    end(effects);
    return true;
  }
  current.stage = 'closing';
  if (!lane.isOrdered) {
    transact(lane, { removeUpTo: item.place }, effects, end);
    return true;
  }
  const row = { place: item.place, attempt: undefined };
  transact(lane, { row, removeUpTo: item.place }, effects, (then) => {
    rowStored(lane, row);
    end(then);
  });
  return true;
}
