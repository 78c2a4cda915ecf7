import type { OwnedLog } from '../../libs/common/src/kafka/port/owned-log.js';
import type { InRecord, OutRecord } from '../../libs/common/src/records/record.js';

/** One partition in memory: appends records, hands them out in order unless paused, and keeps the finished offsets. */
export class MemoryLog implements OwnedLog {
  readonly partitions = 1;
  readonly identity = { topicId: undefined, partitions: 1 };
  readonly partition = 0;
  readonly finished: number[] = [];
  readonly records: InRecord[] = [];
  isPaused = false;
  private readonly loss = new AbortController();
  private position = 0;

  constructor(readonly topic: string) {}

  get lost(): AbortSignal {
    return this.loss.signal;
  }

  get unfinished(): number {
    return this.position - this.finished.length;
  }

  append({ key, value, headers = {} }: Omit<OutRecord, 'topic'>, timestamp: number): InRecord {
    const record = {
      topic: this.topic,
      partition: this.partition,
      offset: this.records.length,
      timestamp,
      key: key === null ? null : Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
      headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
    };
    this.records.push(record);
    return record;
  }

  /** The next records for a consumer. */
  read(most = 100): InRecord[] {
    if (this.isPaused) return [];
    const batch = this.records.slice(this.position, this.position + most);
    this.position += batch.length;
    return batch;
  }

  finish(offset: number): void {
    this.finished.push(offset);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  lose(): void {
    this.loss.abort();
  }
}
