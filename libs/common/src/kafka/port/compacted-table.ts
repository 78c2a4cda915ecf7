import type { InRecord } from '../../records/record.js';

export interface CompactedTableOptions {
  /** Without prefix. */
  readonly topic: string;
  /**
   * Called for each record in log order; null deletes the key. Its errors are logged and counted, and reading continues:
   * the last good value of the key stays.
   */
  readonly apply: (key: string, value: Buffer | null, record: InRecord) => void;
  /** Awaited before the records of a batch are applied: for checks that would hold the event loop. */
  readonly prepare?: (records: readonly InRecord[]) => Promise<void>;
  /** The topic was made again, or lost records that were read: it is read from its first record. Rows stay until then. */
  readonly onReplaced?: () => void;
}

/** Reads a compacted topic from its beginning and keeps following it. Every process sees the whole table. */
export interface CompactedTable {
  /** Resolves when caught up, and never when it is stopped before; waits for brokers as long as it takes. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /**
   * Resolves when everything that is in the topic by now has been applied; never when it is stopped before.
   *
   * @throws when the broker does not say where the topic ends, or the topic is read again from its first record
   */
  catchUp(): Promise<void>;
  /**
   * Resolves when the topic is still the log that is read, or `onReplaced` was called.
   *
   * @throws when no broker answers, or the topic does not exist
   */
  checkLog(): Promise<void>;
  /** True once everything that was in the topic at the start has been applied. */
  readonly isCaughtUp: boolean;
  /** For readiness: undefined while the table follows its topic. */
  problem(): string | undefined;
}
