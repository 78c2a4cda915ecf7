import type { FetchedRecords } from '../wire/fetched-records.js';
import { HandedOn } from './fetch-response.js';

/**
 * The batch that kafkajs hands over: one fetch of one partition. It never claims to be empty: kafkajs advances a consumer
 * over aborted and control records, and to the log's end after an empty fetch, without a call of its handler.
 */
export class FetchedBatch {
  /** Of the kind kafkajs counts. */
  readonly messages: readonly [] = [];

  constructor(
    /** With prefix. */
    readonly topic: string,
    readonly partition: number,
    readonly fetchedOffset: string,
    readonly fetched: FetchedRecords,
  ) {}

  get highWatermark(): string {
    return String(this.fetched.bounds.highWatermark);
  }

  isEmpty(): boolean {
    return false;
  }

  isEmptyDueToFiltering(): boolean {
    return false;
  }

  firstOffset(): string {
    return this.fetchedOffset;
  }

  lastOffset(): string {
    return this.fetchedOffset;
  }

  offsetLag(): string {
    return this.offsetLagLow();
  }

  offsetLagLow(): string {
    return String(this.fetched.bounds.highWatermark - Number(this.fetchedOffset));
  }
}

/** Of every consumer that gets such batches: a position moves only where its handler says. kafkajs would put it behind one record. */
export const BATCH_RUN = { autoCommit: false, eachBatchAutoResolve: false } as const;

/** What kafkajs calls the handler of a consumer with hooks with. */
export interface BatchPayload {
  readonly batch: FetchedBatch;
  /** The next fetch begins behind it. */
  readonly resolveOffset: (offset: string) => void;
}

interface KafkajsBatch {
  readonly topic: string;
  readonly partition: number;
  readonly fetchedOffset: string;
  readonly rawMessages?: unknown;
}

/** @returns the batch that was decoded here; one of kafkajs's own as it is */
export function handedOver(batch: KafkajsBatch): FetchedBatch | KafkajsBatch {
  const { topic, partition, fetchedOffset, rawMessages } = batch;
  return rawMessages instanceof HandedOn
    ? new FetchedBatch(topic, partition, fetchedOffset, rawMessages.records)
    : batch;
}
