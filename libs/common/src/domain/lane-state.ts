/** A record whose turn must come, from the log or from a parked row. `Work` is the shell's own. */
export interface LaneItem<Work> {
  /** Position in the log where this life of the delivery began; see domain/position.ts. */
  readonly place: number;
  /** Attempts made so far. */
  readonly attempt: number;
  /** Its record's position, or undefined for a parked row. */
  readonly offset: number | undefined;
  readonly work: Work;
  /** The row does not hold a delivery that can be attempted: it is given up when its turn comes. */
  readonly isUnreadable?: boolean;
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

export interface Current<Work> {
  readonly item: LaneItem<Work>;
  stage: Stage;
  verdict: 'over' | 'retry';
  /** Parked in the transaction that named this head; they complete only when the tier has it (rule 3). */
  followers: readonly LaneItem<Work>[];
}

/** What is done, and wanted, when a transaction has committed. */
export type AfterTransaction<Work> = (effects: LaneEffect<Work>[]) => void;

export interface Lane<Work> {
  /** Unordered deliveries are lanes of one record: they never have a row and never wait for one another. */
  readonly isOrdered: boolean;
  /** Whether it is parked is known; else nothing is judged before the database was asked. */
  isLoaded: boolean;
  /** Its row is known, if it has one; else no return is judged before the database was asked. */
  isRowKnown: boolean;
  isLoading: boolean;
  isHeld: boolean;
  row: LaneRow | undefined;
  /** There may be parked rows. */
  hasParked: boolean;
  /** Draining found that it must wait for the head. */
  isBlocked: boolean;
  /** Draining waits for memory. */
  isStarved: boolean;
  isSpilling: boolean;
  expiredUpTo: number;
  /** Given up as soon as it is seen to be the head, or the first parked row without one, and has no attempt in flight. */
  toSkip: LaneItem<Work> | undefined;
  /** Read from the log, not begun. */
  readonly queue: LaneItem<Work>[];
  /** Parked rows read ahead. */
  page: LaneItem<Work>[];
  current: Current<Work> | undefined;
  /** What to do when the transaction under way has committed; a lane has at most one. */
  transaction: AfterTransaction<Work> | undefined;
}

/** The delivery at the row's place is not over: whatever is above it waits. */
export function hasHead<Work>(lane: Lane<Work>): boolean {
  return lane.row?.attempt !== undefined;
}

/** Asks for a transaction; nothing of the lane that needs another is done until the shell says that it has committed. */
export function transact<Work>(
  lane: Lane<Work>,
  transaction: LaneTransaction<Work>,
  effects: LaneEffect<Work>[],
  then: AfterTransaction<Work>,
): void {
  lane.transaction = then;
  effects.push({ type: 'transact', transaction });
}

/** A row of ours was stored. It is the highest there is: rows never go back. */
export function rowStored<Work>(lane: Lane<Work>, row: LaneRow): void {
  lane.row = row;
  lane.isRowKnown = true;
  lane.isBlocked = row.attempt !== undefined;
}
