import type { InRecord } from '../../records/record.js';

/** Existing topics are not as the configuration says. Only an operator can decide what to change. */
export class TopicMismatchError extends Error {}

/** DI token of {@link TopicIds}. */
export const TOPIC_IDS = Symbol('TopicIds');

export interface TopicIds {
  /** The id a topic had in the latest check that found it. @param topic without prefix */
  idOf(topic: string): string | undefined;
}

/** Checks that all topics exist, and creates a missing one with its settings. */
export interface TopicKeeper extends TopicIds {
  /** Call when all topics exist. */
  start(): void;
  /** For readiness: topics with more partitions than are configured. */
  warning(): string | undefined;
  stop(): Promise<void>;
}

/** The log that a topic has now. */
export interface TopicLog {
  /** Kafka's topic id, base64url; empty when the broker gives none. */
  readonly topicId: string;
  /** Partitions that keys belong to. The topic may have more, added by another operator. */
  readonly partitions: number;
}

/** Where the log of a partition begins and ends. */
export interface LogBounds {
  readonly partition: number;
  /** First offset that is still there. */
  readonly low: number;
  /** Offset of the next record. */
  readonly high: number;
}

/** Bounds of logs, from the brokers; topics are without prefix. */
export interface LogBoundsReader {
  of(topic: string): Promise<LogBounds[]>;
  /** @returns by partition: the first offset whose record is of this time or later; the end of the log without one */
  firstSince(topic: string, ms: number): Promise<Map<number, number>>;
  /** @returns the time of the oldest record of all partitions, ms since the epoch; undefined when there is none */
  oldestRecordAt(topic: string, nowMs: number): Promise<number | undefined>;
}

/** A part of a topic: from a moment on, up to where each partition ends when the reading begins. */
export interface LogRange {
  /** Without prefix. */
  readonly topic: string;
  /** ms since the epoch, by the timestamps of the records. */
  readonly sinceMs: number;
}

/** Receives the records of one partition in order. The next ones are fetched when the promise resolves. */
export type TakeRecords = (records: readonly InRecord[]) => Promise<void>;

/** Which records of one partition a group has finished. */
export type IsFinished = (offset: number) => boolean;
