import type { Lane } from '#common/domain/lane-machine.js';
import type { DeadReason } from '#common/domain/verdict.js';
import type { FencedLog } from '#common/kafka/port/owned-log.js';
import type { Delivery } from '../delivery.js';
import type { Reader } from '../read-ahead.js';

/** Why a delivery is given up without an attempt. */
export interface GivenUp {
  readonly reason: DeadReason;
  readonly detail: string;
}

/** What became of an attempt, as far as its lane is concerned. */
export interface Ended {
  readonly verdict: 'over' | 'retry';
  /** Nothing was sent: the same attempt was finished here lately. */
  readonly isRepeat?: boolean;
  /** When the next attempt is due, ms since the epoch. */
  readonly dueAt: number | undefined;
  /** Stores what the attempt's end caused: for `over` all of it, for `retry` the record in its tier, too. */
  readonly store: () => Promise<void>;
}

/** A lane that has something under way. */
export interface ActiveLane extends Reader {
  readonly name: string;
  readonly machine: Lane<Delivery>;
  /** When the head is due, as the database or the last attempt said. */
  dueAt: number | undefined;
  ended: Ended | undefined;
  /** An attempt was begun, and not all it causes is stored. */
  hasBegun: boolean;
  isProbe: boolean;
  /** A page of parked rows is on its way. */
  isReading: boolean;
  /** Why the delivery whose turn it is cannot be the lane's head. */
  refusal: GivenUp | undefined;
}

/** What the lanes of a log need from the rest of the dispatcher. */
export interface LaneHost {
  isHeld(endpointId: string): boolean;
  /** Why records are parked now, for the eyes of operators. */
  parkReason(endpointId: string): string;
  /** Makes an attempt when its turn comes; `ended` or `withdrawn` is called once. */
  attempt(lane: ActiveLane, delivery: Delivery): void;
  /** Gives a delivery up without an attempt. @param why undefined: as the delivery says, else because it has expired */
  giveUp(delivery: Delivery, why?: GivenUp): Promise<void>;
  /** Puts a head into its tier again, as the row says. */
  handOverAgain(delivery: Delivery, dueAt: number): Promise<void>;
  /** All that the lane's attempt caused is stored. */
  turnEnded(log: FencedLog): void;
  /** The record at this offset, and all it caused, is safe. */
  finished(delivery: Delivery, isStale: boolean): void;
}
