import type { LogBatch, OwnedLog, OwnershipListener } from './owned-log.js';

/** When a consumer fetches. */
export interface FetchPaceOptions {
  /** Least time between two fetches that brought something: a fetch per record costs three times the CPU (measured). */
  readonly paceMs?: number;
  /**
   * The pace is multiplied by the records that are read and not finished, divided by this: from 1 to 5 times. A consumer
   * with more unfinished work needs fewer, larger fetches. Without it the pace is constant.
   */
  readonly recordsPerPace?: number;
  /** How long a fetch waits for a first record, when no partition is paused. */
  readonly maxWaitMs?: number;
}

export interface LogConsumerOptions extends FetchPaceOptions {
  /** Without prefix. */
  readonly groupId: string;
  /** Without prefix. */
  readonly topics: readonly string[];
  /** Called with each batch, one after the other for a partition. It must hand over and return; a rejection is fatal. */
  readonly onBatch: (batch: LogBatch) => Promise<void> | void;
  readonly ownership?: OwnershipListener;
  readonly maxBytesPerPartition?: number;
  /** The app's reason to wait with unfinished records; undefined without one. A stalled partition without a reason is an alarm. */
  readonly waitsFor?: (log: OwnedLog) => string | undefined;
  /** Resolves when the handlers can work. Nothing is read before. */
  readonly startAfter?: () => Promise<unknown>;
  /** How long the work under way may take to finish before a rebalance is joined, or the consumer stops. */
  readonly finishMs?: number;
}

/** One member of a consumer group. It owns logs; its records finish out of order (docs/lane-protocol.md, rules 7 and 8). */
export interface LogConsumer {
  /** Resolves when consuming has begun, or when it was stopped before; partitions may be assigned a little later. */
  start(): Promise<void>;
  /** Stops in order: ends fetching, finishes work in flight within a time limit, commits, leaves the group. */
  stop(): Promise<void>;
  /** Undefined when all is well; else why this consumer takes no records now. */
  problem(): string | undefined;
  /** For readiness: the reason why some records wait although this consumer works. A restart does not help. */
  warning(): string | undefined;
}
