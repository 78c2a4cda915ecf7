import type { InRecord } from '../../records/record.js';

/** One fetch of one partition, decoded. */
export interface FetchedLog {
  /** Committed records from the fetched offset on, in order. */
  readonly records: InRecord[];
  /** The offset behind everything that was read: aborted, control and compacted records are passed, too. */
  readonly next: number;
  /** Of the first and of the last batch that was read; undefined without one. */
  readonly firstLeaderEpoch: number | undefined;
  readonly leaderEpoch: number | undefined;
}
