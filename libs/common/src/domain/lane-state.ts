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

/** The lane row in PostgreSQL. Every place below `place` is over; without an `attempt`, `place` is, too. */
export interface LaneRow {
  readonly place: number;
  /** Attempts made of the head, the delivery at `place`: the record with the same count is the head's present one. */
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

/** Why a delivery is given up without an attempt. */
export type GiveUpCause =
  /** It was parked for longer than the limit, or more deliveries are parked than the limit allows. */
  | { readonly kind: 'expired' }
  /** An operator asked for it. */
  | { readonly kind: 'skipped' }
  /** Its parked row cannot be read. */
  | { readonly kind: 'unreadable' }
  /** PostgreSQL cannot store it as the head of its lane (rule 3); `detail` is for people. */
  | { readonly kind: 'unstorable'; readonly detail: string };

export type LaneEffect<Work> =
  | { readonly type: 'load' }
  | { readonly type: 'attempt'; readonly item: LaneItem<Work> }
  /** Store that this delivery is over, as its attempt's verdict says. */
  | { readonly type: 'settle'; readonly item: LaneItem<Work> }
  /** Give the delivery up without an attempt. */
  | { readonly type: 'giveUp'; readonly item: LaneItem<Work>; readonly cause: GiveUpCause }
  /** Put the record into its tier with this many attempts made; `isAgain`: by the due time of the row. */
  | { readonly type: 'handOver'; readonly item: LaneItem<Work>; readonly attempt: number; readonly isAgain: boolean }
  | { readonly type: 'transact'; readonly transaction: LaneTransaction<Work> }
  | { readonly type: 'readPage' }
  /** This record of the log, and all it caused, is safe. */
  | { readonly type: 'finish'; readonly item: LaneItem<Work>; readonly isStale: boolean };

/** Every place up to `place` is over: the lane has no head. */
export interface OverRow {
  readonly state: 'over';
  readonly place: number;
}

/** Every place below `place` is over; the delivery at `place` is the head, with `attempt` attempts made. */
export interface HeadRow {
  readonly state: 'head';
  readonly place: number;
  readonly attempt: number;
  /**
   * `elsewhere`: the head's record is in a tier, on its way back, or in flight, so parked rows wait for it.
   * `perhapsParked`: a hold may have parked the head, so draining looks at the lowest parked row (rule 5).
   */
  whereabouts: 'elsewhere' | 'perhapsParked';
}

/**
 * The known state of the lane row (rule 2).
 *
 * - `unloaded`: PostgreSQL is asked before anything of the lane is judged.
 * - `unread`: there is no head, and no row calls a first or a replay over. PostgreSQL is asked before a return is judged.
 * - `none`: there is no row.
 */
export type KnownRow = 'unloaded' | 'unread' | 'none' | OverRow | HeadRow;

/** Parked rows read ahead, ascending. A lane without any is in another state of {@link ParkedRows}. */
export type Page<Work> = readonly [LaneItem<Work>, ...LaneItem<Work>[]];

/**
 * The known state of the lane's parked rows (rules 4 and 5).
 *
 * - `none`: there is none.
 * - `unread`: there may be some, and none is in memory.
 * - `waitingForRoom`: as `unread`; the next page is read when memory is free.
 */
export type ParkedRows<Work> = 'none' | 'unread' | 'waitingForRoom' | Page<Work>;

/**
 * A turn in front of its retry, or without one.
 *
 * - `attempting`: the attempt is requested or in flight (HEAD ATTEMPTED, if the lane is parked).
 * - `failed`: the attempt must be retried; the head is named next (rule 3a).
 * - `settling`: the outcome, or the dead letter, is being stored.
 * - `settled`: it is stored; the place is over next (rule 5).
 */
export interface OpenTurn<Work> {
  readonly item: LaneItem<Work>;
  stage: 'attempting' | 'failed' | 'settling' | 'settled';
}

/**
 * A turn that ends with a hand-over (rule 3).
 *
 * - `handing`: the record is being written to its tier (rule 3b).
 * - `handed`: Kafka acknowledged it; its source goes next (rule 3c).
 */
export interface HandOver<Work> {
  readonly item: LaneItem<Work>;
  stage: 'handing' | 'handed';
  /** Parked in the transaction that named the head. Their offsets finish after the head's. */
  readonly followers: readonly LaneItem<Work>[];
}

/** The delivery whose turn it is: a lane has at most one attempt in flight (rule 1). */
export type Turn<Work> = OpenTurn<Work> | HandOver<Work>;

/**
 * The transaction in flight (rule 1).
 *
 * - `loading`: the row and the lowest parked place are read. Nothing else of the lane happens.
 * - `readingPage`: the lowest parked rows are read.
 * - `naming`: the row names the delivery of the turn as head, and its followers are parked (rule 3a).
 * - `removing`: the parked row that was handed over, or is stale, is removed (rule 3c).
 * - `closing`: the place of the turn is over, and parked rows up to it are removed (rule 5).
 * - `parking`: records are parked (rule 4). `named` is the delivery in flight that the same transaction names as head.
 */
export type Pending<Work> =
  | { readonly kind: 'loading' | 'readingPage' | 'removing' | 'closing' }
  | { readonly kind: 'naming'; readonly followers: readonly LaneItem<Work>[] }
  | {
      readonly kind: 'parking';
      readonly items: readonly LaneItem<Work>[];
      readonly named: { readonly place: number; readonly attempt: number } | undefined;
    };

/** One lane in the memory of its owner. The lane is parked if it has a head or parked rows, else it is flowing. */
export interface Lane<Work> {
  /** Unordered deliveries are lanes of one record: they never have a row and never wait for one another (rule 9). */
  readonly isOrdered: boolean;
  row: KnownRow;
  parked: ParkedRows<Work>;
  /** Read from the log, and neither begun nor parked; in log order. */
  readonly queue: LaneItem<Work>[];
  turn: Turn<Work> | undefined;
  /** At most one transaction is in flight. */
  pending: Pending<Work> | undefined;
  /** The endpoint holds (rule 6). */
  isHeld: boolean;
  /** Parked rows at or below this place are given up; undefined for none. */
  expiredUpTo: number | undefined;
  /** Given up once it is the head, or without a head the first parked row, and has no attempt in flight. */
  toSkip: LaneItem<Work> | undefined;
}

/** The delivery at the row's place is not over: whatever is above it waits. */
export function headOf<Work>({ row }: Lane<Work>): HeadRow | undefined {
  return typeof row === 'object' && row.state === 'head' ? row : undefined;
}

/** @returns the parked rows that were read ahead; undefined when there are none in memory */
export function pageOf<Work>({ parked }: Lane<Work>): Page<Work> | undefined {
  return typeof parked === 'object' ? parked : undefined;
}

/** @param rows read from PostgreSQL, ascending */
export function keepPage<Work>(lane: Lane<Work>, rows: readonly LaneItem<Work>[]): void {
  lane.parked = isPage(rows) ? rows : 'unread';
}

/** The rows read ahead may not be the lowest any more: draining reads them again. */
export function discardPage<Work>(lane: Lane<Work>): void {
  if (pageOf(lane) !== undefined) lane.parked = 'unread';
}

/** Records of the lane were parked, or are about to be. */
export function noteParked<Work>(lane: Lane<Work>): void {
  if (lane.parked === 'none') lane.parked = 'unread';
}

/** Asks for a transaction; nothing of the lane that needs another is done until the shell says that it has committed. */
export function transact<Work>(
  lane: Lane<Work>,
  pending: Pending<Work>,
  transaction: LaneTransaction<Work>,
  effects: LaneEffect<Work>[],
): void {
  lane.pending = pending;
  effects.push({ type: 'transact', transaction });
}

/** The owner stored a row. It is the highest there is: rows never go back. */
export function rowStored<Work>(lane: Lane<Work>, { place, attempt }: LaneRow): void {
  lane.row =
    attempt === undefined ? { state: 'over', place } : { state: 'head', place, attempt, whereabouts: 'elsewhere' };
}

function isPage<Work>(rows: readonly LaneItem<Work>[]): rows is Page<Work> {
  return rows.length > 0;
}
