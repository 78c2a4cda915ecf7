import type { OutRecord } from '../../records/record.js';

/** Kafka did not confirm a write in time. Whether it is stored is unknown. */
export class KafkaUnavailableError extends Error {}

/** A record is larger than its topic takes: it can never be stored. Other records of the same write may be. */
export class RecordTooLargeError extends Error {}

export interface WriteOptions {
  /** Give up, with an unknown outcome, after this long. Without it the write is tried until it succeeds. */
  readonly timeoutMs?: number;
}

/** Writes records with acks from all in-sync replicas, in the order they were handed over. */
export interface RecordWriter {
  /**
   * @returns when all records are stored
   * @throws KafkaUnavailableError when that could not be confirmed in time: the outcome is unknown
   * @throws RecordTooLargeError when one of them can never be stored
   */
  write(records: readonly OutRecord[], options?: WriteOptions): Promise<void>;
}

/** DI token of the app's shared {@link RecordWriter}. */
export const RECORD_WRITER = Symbol('RecordWriter');

/** A writer with its connection. */
export interface RecordProducer extends RecordWriter {
  /** Tries until a broker answers. */
  connect(): Promise<void>;
  /** Writes queued records, for a bounded time, then disconnects. */
  close(timeoutMs?: number): Promise<void>;
}
