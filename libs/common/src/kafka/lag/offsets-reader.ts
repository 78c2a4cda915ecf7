import type { StallEnd } from './stall-watch.js';

/** One partition as the brokers know it. */
export interface LogOffsets {
  /** Full name. */
  readonly topic: string;
  readonly partition: number;
  /** Where the group goes on: its commit, or the start of the log when that is higher. */
  readonly commit: number;
  /** Where the last open transaction begins; the end of the log without one. */
  readonly stable: number;
  readonly end: number;
  /** Why its offsets are unknown now. */
  readonly outage?: string;
}

export interface OffsetsOfGroup {
  readonly logs: readonly LogOffsets[];
  /** Topics of the group that do not exist, by full name. */
  readonly missing: readonly string[];
  /** Partitions of any topic without a leader: writes to them wait. By full name. */
  readonly leaderless: readonly string[];
}

/** Measures a group's lag, and remembers ends of processes for a stall. */
export interface OffsetsReader {
  /** @throws when a broker that is needed does not answer */
  read(): Promise<OffsetsOfGroup>;
  lastEnd(topic: string, partition: number): Promise<StallEnd | undefined>;
  /** Resolves when the end is stored. */
  noteEnd(topic: string, partition: number, end: StallEnd): Promise<void>;
  close(): Promise<void>;
}
