import type { LaneItem } from '../lane-machine.js';
import type { Bug } from './lane-bugs.js';
import type { Delivery } from './lane-delivery.js';
import type { Ground, Referee } from './lane-referee.js';
import type { Random } from './random.js';

/** What a simulated process sees of the world, and does to it. */
export interface Scene extends Ground {
  readonly random: Random;
  readonly bug: Bug | undefined;
  readonly referee: Referee;
  readonly deadLetters: LaneItem<Delivery>[];
  /** By endpoint: it takes nothing now. */
  readonly held: readonly boolean[];
  /** Executed, although the caller got an error or is dead. */
  readonly late: (() => void)[];
  /** Offsets whose record was attempted, and that no new owner has seen in a commit. */
  readonly doneOffsets: Set<number>;
  /** Kafka's: the present owner's number. */
  readonly generation: number;
  readonly isFaulty: boolean;
  /** A step. */
  readonly databaseAwayUntil: number;
  commit(offset: number, finishedAbove: readonly number[]): void;
  /** @returns some delivery of the lane */
  laneNamed(key: string): Delivery;
}
