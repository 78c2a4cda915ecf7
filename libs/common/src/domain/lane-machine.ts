/**
 * The lane protocol as a pure state machine: lanes.md tells it in words, rule by rule. One {@link Lane} is the state of
 * one unit of order in the memory of its owner; {@link stepLane} takes an event and returns the effects it wants. The
 * shell performs them and answers each with its event.
 *
 * A lane is flowing while it has no head and no parked rows: then nothing here asks for the database. Places, not
 * delivery ids, decide what is over.
 */

/** A record whose turn must come, from the log or from a parked row. `Work` is the shell's own. */
export interface LaneItem<Work> {
  /** Offset in the log where this life of the delivery began. */
  readonly place: number;
  /** Attempts made so far. */
  readonly attempt: number;
  /** Its record's offset, or undefined for a parked row. */
  readonly offset: number | undefined;
  readonly work: Work;
}

/** The lane's watermark in the database. Everything below `place` is over; without an `attempt`, `place` is, too. */
export interface LaneRow {
  readonly place: number;
  /** Attempts made of the head, the delivery at `place`: the record that says the same is the head's present one. */
  readonly attempt: number | undefined;
}

/** One transaction of a lane; all of it holds, or nothing. */
export interface LaneTransaction<Work> {
  readonly row?: LaneRow;
  readonly park?: readonly LaneItem<Work>[];
  /** Parked rows at and below this place are removed. */
  readonly removeUpTo?: number;
  /** The parked row at this place is removed, if it still is of this attempt. */
  readonly remove?: { readonly place: number; readonly attempt: number };
}

export type LaneEvent<Work> =
  /** A record was read from the log. Events of one lane come in log order. */
  | { readonly type: 'arrived'; readonly item: LaneItem<Work> }
  | { readonly type: 'loaded'; readonly row: LaneRow | undefined; readonly hasParked: boolean }
  /** The attempt is over: its delivery is (delivered or given up), or it must be tried again. */
  | { readonly type: 'attempted'; readonly verdict: 'over' | 'retry' }
  /** The attempt that was asked for has not been begun, and will not be: a hold came before its turn. */
  | { readonly type: 'withdrawn' }
  /** What the attempt's end caused is stored. */
  | { readonly type: 'settled' }
  /** The tier has the record. */
  | { readonly type: 'handedOver' }
  | { readonly type: 'transacted' }
  /** The lowest parked rows, ascending; none when there are none left. */
  | { readonly type: 'pageRead'; readonly rows: readonly LaneItem<Work>[] }
  /** The endpoint takes nothing for now, or takes again. */
  | { readonly type: 'held'; readonly isHeld: boolean }
  /** Memory is short: what waits here goes to the database. */
  | { readonly type: 'spilled' }
  /** Parked rows at or below this place are to be given up, not attempted. */
  | { readonly type: 'expired'; readonly place: number }
  /** The head is to be given up; what is known of it came from elsewhere. */
  | { readonly type: 'skipped'; readonly item: LaneItem<Work> };

export type LaneEffect<Work> =
  | { readonly type: 'load' }
  | { readonly type: 'attempt'; readonly item: LaneItem<Work> }
  /** Tell the world that this delivery is over, as its attempt's verdict says. */
  | { readonly type: 'settle'; readonly item: LaneItem<Work> }
  /** Give the delivery up without an attempt. */
  | { readonly type: 'giveUp'; readonly item: LaneItem<Work> }
  /** Put the record into its tier with this many attempts made; `isAgain`: by the due time of the row. */
  | { readonly type: 'handOver'; readonly item: LaneItem<Work>; readonly attempt: number; readonly isAgain: boolean }
  | { readonly type: 'transact'; readonly transaction: LaneTransaction<Work> }
  | { readonly type: 'readPage' }
  /** This record of the log, and all it caused, is safe. */
  | { readonly type: 'finish'; readonly item: LaneItem<Work>; readonly isStale: boolean };

/** Where the delivery whose turn it is stands; each `-ing` waits for an event of the shell. */
type Stage = 'attempting' | 'decided' | 'settling' | 'settled' | 'naming' | 'named' | 'handing' | 'handed' | 'closing';

interface Current<Work> {
  readonly item: LaneItem<Work>;
  stage: Stage;
  verdict: 'over' | 'retry';
  /** Parked in the transaction that named this head; they complete only when the tier has it (rule 3). */
  followers: readonly LaneItem<Work>[];
}

export interface Lane<Work> {
  /** Unordered deliveries are lanes of one record: they never have a row and never wait for one another. */
  readonly isOrdered: boolean;
  isLoaded: boolean;
  isLoading: boolean;
  isHeld: boolean;
  row: LaneRow | undefined;
  /** There may be parked rows. */
  hasParked: boolean;
  /** Draining found that it must wait for the head. */
  isBlocked: boolean;
  isSpilling: boolean;
  expiredUpTo: number;
  /** Read from the log, not begun. */
  readonly queue: LaneItem<Work>[];
  /** Parked rows read ahead. */
  page: LaneItem<Work>[];
  current: Current<Work> | undefined;
  /** What to do when the transaction under way has committed; a lane has at most one. */
  transaction: AfterTransaction<Work> | undefined;
}

/** @param known false when the database may know something of this lane: it is asked before anything is judged */
export function newLane<Work>(isOrdered: boolean, known: boolean, isHeld: boolean): Lane<Work> {
  return {
    isOrdered,
    isLoaded: known,
    isLoading: false,
    isHeld,
    row: undefined,
    hasParked: false,
    isBlocked: false,
    isSpilling: false,
    expiredUpTo: -1,
    queue: [],
    page: [],
    current: undefined,
    transaction: undefined,
  };
}

/** Nothing is under way and nothing waits in memory. Such a lane may be forgotten; see {@link isParked}. */
export function isIdle<Work>(lane: Lane<Work>): boolean {
  return !lane.current && !lane.transaction && !lane.isLoading && lane.queue.length === 0 && lane.page.length === 0;
}

/** The database knows of a head or of parked rows: a lane that is forgotten must be loaded again before it is used. */
export function isParked<Work>(lane: Lane<Work>): boolean {
  return lane.hasParked || lane.row?.attempt !== undefined;
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

function apply<Work>(lane: Lane<Work>, event: LaneEvent<Work>, effects: LaneEffect<Work>[]): void {
  switch (event.type) {
    case 'arrived':
      lane.queue.push(event.item);
      return;
    case 'loaded':
      lane.isLoading = false;
      lane.isLoaded = true;
      lane.row = event.row;
      lane.hasParked = event.hasParked;
      return;
    case 'attempted':
      enter(lane, 'attempting', 'decided').verdict = event.verdict;
      return;
    case 'withdrawn':
      withdraw(lane);
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
      skip(lane, event.item, effects);
      return;
  }
}

/** One more thing that can be done now. @returns false when there is none */
function advance<Work>(lane: Lane<Work>, effects: LaneEffect<Work>[]): boolean {
  if (!lane.isLoaded) return load(lane, effects);
  return (
    (lane.current !== undefined && continueCurrent(lane, lane.current, effects)) ||
    park(lane, effects) ||
    (lane.current === undefined && (takeFromQueue(lane, effects) || drain(lane, effects)))
  );
}

function load<Work>(lane: Lane<Work>, effects: LaneEffect<Work>[]): boolean {
  if (!lane.isLoading) effects.push({ type: 'load' });
  lane.isLoading = true;
  return false;
}

type Judgement = 'go' | 'over' | 'again' | 'wait';

/** Rule 2: the row decides. */
function judge<Work>(lane: Lane<Work>, item: LaneItem<Work>): Judgement {
  const { row } = lane;
  if (row && (item.place < row.place || (item.place === row.place && row.attempt === undefined))) return 'over';
  if (row?.attempt !== undefined && item.place === row.place) {
    if (item.attempt === row.attempt) return 'go';
    return item.attempt === row.attempt - 1 ? 'again' : 'over';
  }
  if (row?.attempt !== undefined) return 'wait';
  return lane.hasParked && item.offset !== undefined && lane.isOrdered ? 'wait' : 'go';
}

function takeFromQueue<Work>(lane: Lane<Work>, effects: LaneEffect<Work>[]): boolean {
  const [item] = lane.queue;
  if (item === undefined) return false;
  const judgement = judge(lane, item);
  if (judgement === 'wait' || (judgement === 'go' && lane.isHeld)) return false;
  lane.queue.shift();
  begin(lane, item, judgement, effects);
  return true;
}

/** Rule 5: the lowest parked row, once nothing holds the lane and its head is not elsewhere. */
function drain<Work>(lane: Lane<Work>, effects: LaneEffect<Work>[]): boolean {
  const mayExpire = lane.expiredUpTo >= 0;
  if (lane.transaction || !lane.hasParked || lane.isBlocked || (lane.isHeld && !mayExpire)) return false;
  const [item] = lane.page;
  if (item === undefined) return readPage(lane, effects);
  const isExpired = item.place <= lane.expiredUpTo;
  if (lane.isHeld && !isExpired) {
    lane.page = [];
    lane.expiredUpTo = -1;
    return false;
  }
  const judgement = judge(lane, item);
  if (judgement === 'wait') {
    lane.isBlocked = true;
    lane.page = [];
    return false;
  }
  lane.page.shift();
  if (isExpired && judgement === 'go') giveUp(lane, item, effects);
  else begin(lane, item, judgement, effects);
  return true;
}

function readPage<Work>(lane: Lane<Work>, effects: LaneEffect<Work>[]): boolean {
  lane.transaction = () => undefined;
  effects.push({ type: 'readPage' });
  return true;
}

function begin<Work>(
  lane: Lane<Work>,
  item: LaneItem<Work>,
  judgement: 'go' | 'over' | 'again',
  effects: LaneEffect<Work>[],
): void {
  if (judgement === 'go') {
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

function giveUp<Work>(lane: Lane<Work>, item: LaneItem<Work>, effects: LaneEffect<Work>[]): void {
  lane.current = { item, stage: 'settling', verdict: 'over', followers: [] };
  effects.push({ type: 'giveUp', item });
}

/** Back to where it came from; a parked row is still there, and is read again. */
function withdraw<Work>(lane: Lane<Work>): void {
  const { item } = enter(lane, 'attempting', 'decided');
  lane.current = undefined;
  if (item.offset === undefined) lane.page = [];
  else lane.queue.unshift(item);
}

/** The head is given up where it waits; its record, when it comes, is stale. */
function skip<Work>(lane: Lane<Work>, item: LaneItem<Work>, effects: LaneEffect<Work>[]): void {
  const isHead = lane.row?.attempt !== undefined && lane.row.place === item.place;
  if (isHead && lane.isLoaded && lane.current === undefined) giveUp(lane, item, effects);
}

/** What follows on an attempt's end, step by step; each waits for the transaction under way, if there is one. */
function continueCurrent<Work>(lane: Lane<Work>, current: Current<Work>, effects: LaneEffect<Work>[]): boolean {
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
    lane.row = row;
    lane.isBlocked = true;
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
  if (!isFromRow && (!lane.isOrdered || !isParked(lane))) {
    end(effects);
    return true;
  }
  current.stage = 'closing';
  if (!lane.isOrdered) {
    transact(lane, { remove: { place: item.place, attempt: item.attempt } }, effects, end);
    return true;
  }
  const row = { place: item.place, attempt: undefined };
  transact(lane, { row, removeUpTo: item.place }, effects, (then) => {
    lane.row = row;
    lane.isBlocked = false;
    end(then);
  });
  return true;
}

/** Rules 4 and 6: what must wait goes to the database, lowest first, and never past a record that is under way unnamed. */
function park<Work>(lane: Lane<Work>, effects: LaneEffect<Work>[]): boolean {
  if (lane.transaction !== undefined) return false;
  const count = parkable(lane);
  if (count === 0) {
    lane.isSpilling = false;
    return false;
  }
  const items = lane.queue.splice(0, count);
  const { current } = lane;
  const isUnnamed = lane.isOrdered && current?.item.offset !== undefined && lane.row?.attempt === undefined;
  const named = isUnnamed ? { place: current.item.place, attempt: current.item.attempt } : undefined;
  // From now on a later record waits: it must not overtake those on their way to the database.
  lane.hasParked = true;
  transact(lane, { park: items, ...(named ? { row: named } : {}) }, effects, (then) => {
    if (named) {
      lane.row = named;
      lane.isBlocked = true;
    }
    // The head itself was parked, by a hold: the next drain must look at it.
    if (lane.row && items.some((item) => item.place <= (lane.row?.place ?? -1))) lane.isBlocked = false;
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
    const isHead = lane.row?.attempt !== undefined && item.place === lane.row.place;
    const follows = count > 0 && lane.isOrdered && !isHead;
    if (judgement !== 'wait' && !(judgement === 'go' && isBehind && (mustLeave || follows))) break;
    count++;
  }
  return count;
}

function hold<Work>(lane: Lane<Work>, isHeld: boolean): void {
  lane.isHeld = isHeld;
  if (isHeld) lane.page = [];
  // After a hold the lowest parked row is judged even if a head is named: it may be that head.
  else lane.isBlocked = false;
}

type AfterTransaction<Work> = (effects: LaneEffect<Work>[]) => void;

function transact<Work>(
  lane: Lane<Work>,
  transaction: LaneTransaction<Work>,
  effects: LaneEffect<Work>[],
  then: AfterTransaction<Work>,
): void {
  lane.transaction = then;
  effects.push({ type: 'transact', transaction });
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
  if (event.type === 'transacted') return;
  if (event.rows.length === 0) lane.hasParked = false;
  // A page read before a hold is dropped: what is parked meanwhile may be lower.
  const isUnwanted = lane.isHeld && lane.expiredUpTo < 0;
  lane.page = isUnwanted ? [] : [...event.rows];
}

function enter<Work>(lane: Lane<Work>, from: Stage, to: Stage): Current<Work> {
  const { current } = lane;
  if (current?.stage !== from) throw new Error(`a lane cannot go from ${current?.stage ?? 'idle'} to ${to}`);
  current.stage = to;
  return current;
}
