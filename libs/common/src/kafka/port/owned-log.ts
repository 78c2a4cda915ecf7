import type { ReadExtent } from '../../domain/start-offset.js';
import type { InRecord } from '../../records/record.js';
import type { TopicIdentity } from './topic-identity.js';

/** One partition this process owns, from its assignment until `lost` is aborted. */
export interface OwnedLog {
  readonly topic: string;
  readonly partition: number;
  /** How many partitions the topic has. */
  readonly partitions: number;
  /** Which log this is: offsets mean something only within it. */
  readonly identity: TopicIdentity;
  /** Aborted when the partition is lost: nothing of it may be begun or finished any more. */
  readonly lost: AbortSignal;
  /** The record at this offset, and all it caused, is safe elsewhere. Idempotent; ignored after loss. */
  finish(offset: number): void;
  /**
   * Backpressure: no further records until every reason is resumed. Heartbeats continue. Idempotent.
   *
   * @param reason keeps independent callers apart; default `busy`
   */
  pause(reason?: string): void;
  resume(reason?: string): void;
  /** Records handed over and neither finished nor deferred. */
  readonly unfinished: number;
}

/** A partition whose state is also kept outside Kafka, where ownership must be proven (docs/lane-protocol.md, rule 8). */
export interface FencedLog extends OwnedLog {
  /** The committed offset at assignment: nothing below it is read. */
  readonly start: number;
  /** How far the log still has the records that the group read, at assignment. */
  readonly extent: ReadExtent;
  /** Asks for the log's present extent, by the group's present commit. Rejects when no broker answers. */
  askExtent(): Promise<ReadExtent>;
  /** Resolves when the group, asked now, confirms this process as the owner. Rejects when it does not. */
  confirm(): Promise<void>;
  /** Gives up all partitions of this consumer, as if they were lost, and joins the group again. */
  abandon(): void;
  /** Deferred records of this log: they were handed over, left the memory unfinished, and are read again later. */
  deferred: number;
  /**
   * One fetch of records that were handed over before, from an offset on, finished ones included. The position of the log
   * stays.
   *
   * @returns `next`: the offset behind everything that was read
   * @throws RecordsGoneError when the log no longer has the offset; Error when the leader does not answer
   */
  readAgain(from: number): Promise<{ readonly records: readonly InRecord[]; readonly next: number }>;
}

/** Retention removed records that were to be read again. */
export class RecordsGoneError extends Error {}

/** Records of one partition, in order. Those finished by a former owner, or still held here, are not among them. */
export interface LogBatch {
  readonly log: OwnedLog;
  readonly records: readonly InRecord[];
  /** Behind the last record that was read before. From here to the first record the log holds none: they were passed over. */
  readonly after: number;
}

/** The end of the fetched records. Between the two lie control records, aborted records and compacted ones, or nothing. */
export interface PassedOffsets {
  /** Behind the last record that was read. */
  readonly after: number;
  /** Where the next reading begins. */
  readonly next: number;
}

/** Receives changes of ownership. All methods are optional. */
export interface OwnershipListener {
  /** Called before the first record of a newly owned partition. */
  onOwned?(log: OwnedLog): Promise<void> | void;
  /** Called when records were found to have left the log before they were read; for a new partition, after `onOwned`. */
  onRecordsLost?(log: OwnedLog): void;
  /** Called after each reading of a log, behind its records. */
  onPassed?(log: OwnedLog, passed: PassedOffsets): void;
  /**
   * Called before the group is joined again, for all owned partitions: start no new work, and resolve when work in flight
   * has finished. The consumer waits a bounded time. If work is still in flight then, all partitions are lost.
   */
  onRebalancing?(): Promise<void>;
  /** Called when the group was joined; retained partitions go on as they were. */
  onRebalanced?(): void;
  /** Called after `lost` was aborted. */
  onLost?(log: OwnedLog): void;
}
