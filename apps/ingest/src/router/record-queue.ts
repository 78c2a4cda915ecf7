import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import { recordBytes } from '#common/records/limits.js';
import type { InRecord } from '#common/records/record.js';
import { queuedBytes } from '../metrics.js';
import type { QueuedRecord } from './batch.js';

const MAX_BATCH_RECORDS = 500;
const MAX_BATCH_BYTES = 2 * 1_024 * 1_024;
/** Estimated memory of the objects of one record. */
const OVERHEAD_BYTES = 256;

/**
 * Records that wait for the router, in the order of arrival. A partition pauses when its bytes, queued or in a batch,
 * exceed the limit. It resumes at half of the limit.
 */
export class RecordQueue {
  private waiting: QueuedRecord[] = [];
  private readonly bytesOf = new Map<OwnedLog, number>();

  /** @param limitBytes limit of each partition */
  constructor(private readonly limitBytes: number) {}

  get isEmpty(): boolean {
    return this.waiting.length === 0;
  }

  add(log: OwnedLog, records: readonly InRecord[]): void {
    let sum = 0;
    for (const record of records) {
      const bytes = recordBytes(record) + OVERHEAD_BYTES;
      this.waiting.push({ log, record, bytes });
      sum += bytes;
    }
    this.addBytes(log, sum);
    if ((this.bytesOf.get(log) ?? 0) > this.limitBytes) log.pause();
  }

  /** Takes the next batch: at most 500 records or 2 MiB. Its bytes count until `release`. */
  take(): QueuedRecord[] {
    let sum = 0;
    let end = 0;
    for (const { bytes } of this.waiting) {
      if (end === MAX_BATCH_RECORDS || (end > 0 && sum + bytes > MAX_BATCH_BYTES)) break;
      sum += bytes;
      end++;
    }
    return this.waiting.splice(0, end);
  }

  /** Puts a batch back at the front, without the records of lost partitions. */
  putBack(taken: readonly QueuedRecord[]): void {
    this.waiting = [...taken.filter(({ log }) => this.bytesOf.has(log)), ...this.waiting];
  }

  /** Subtracts the bytes of finished records, and resumes partitions at half of the limit. */
  release(done: readonly QueuedRecord[]): void {
    const released = new Map<OwnedLog, number>();
    for (const { log, bytes } of done) released.set(log, (released.get(log) ?? 0) + bytes);
    for (const [log, bytes] of released) {
      if (!this.bytesOf.has(log)) continue;
      this.addBytes(log, -bytes);
      if ((this.bytesOf.get(log) ?? 0) <= this.limitBytes / 2) log.resume();
    }
  }

  /** Removes the records of a lost partition. */
  drop(log: OwnedLog): void {
    this.waiting = this.waiting.filter((queued) => queued.log !== log);
    queuedBytes.dec(this.bytesOf.get(log) ?? 0);
    this.bytesOf.delete(log);
  }

  private addBytes(log: OwnedLog, bytes: number): void {
    this.bytesOf.set(log, (this.bytesOf.get(log) ?? 0) + bytes);
    queuedBytes.inc(bytes);
  }
}
