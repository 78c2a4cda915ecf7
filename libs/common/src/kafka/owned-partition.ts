import { encodeFinished, Watermark } from '../domain/watermark.js';
import type { LogBounds, Reading } from './fetched-records.js';
import type { FencedLog } from './port.js';
import type { InRecord } from './record.js';

/** What a commit of one partition says: the watermark, and the finished offsets above it. */
export interface Commit {
  readonly offset: string;
  readonly metadata: string;
}

/** What a partition asks of the consumer it belongs to. */
export interface PartitionConsumer {
  setPaused(log: OwnedPartition, isPaused: boolean): void;
  confirm(): Promise<void>;
  abandon(): void;
}

const BUSY = 'busy';

/** The state of one partition from assignment to loss: what was read, what is finished, what was committed. */
export class OwnedPartition implements FencedLog {
  private readonly watermark: Watermark;
  private readonly loss = new AbortController();
  private readonly pauses = new Set<string>();
  private isChanged = false;
  /** The offset the next batch must begin with; any other batch is of an older assignment. */
  position: number;
  readonly start: number;
  /** End of the log, as last seen. */
  end = 0;
  /** The end of what is handed out, as last seen: records from the oldest open transaction on are not. -1 before a fetch. */
  lastStable = -1;
  /** Of the last batch that was read; -1 before. */
  leaderEpoch = -1;

  /**
   * @param topic without prefix
   * @param from the commit this owner starts from
   */
  constructor(
    readonly topic: string,
    readonly partition: number,
    readonly partitions: number,
    from: { readonly offset: number; readonly finishedAbove: readonly number[] },
    private readonly consumer: PartitionConsumer,
  ) {
    this.watermark = new Watermark(from.offset, from.finishedAbove);
    this.position = from.offset;
    this.start = from.offset;
  }

  get lost(): AbortSignal {
    return this.loss.signal;
  }

  get unfinished(): number {
    return this.watermark.unfinished;
  }

  /** Records behind the end of the log, counted from the watermark. */
  get lag(): number {
    return Math.max(0, this.end - this.watermark.committable);
  }

  get paused(): boolean {
    return this.pauses.size > 0;
  }

  /**
   * A fetch from `position` on was read. Offsets without a record (aborted, control, compacted) count as finished.
   *
   * @returns the records that need work
   */
  take(
    { records, next, leaderEpoch = this.leaderEpoch }: Reading,
    { highWatermark, lastStable }: LogBounds,
  ): InRecord[] {
    this.end = highWatermark;
    this.lastStable = lastStable;
    if (next === this.position) return [];
    this.position = next;
    this.leaderEpoch = leaderEpoch;
    this.isChanged = true;
    const begun = records.filter(({ offset }) => this.watermark.begin(offset));
    this.watermark.pass(next);
    return begun;
  }

  finish(offset: number): void {
    if (this.lost.aborted) return;
    this.isChanged = true;
    this.watermark.finish(offset);
  }

  pause(reason = BUSY): void {
    if (this.lost.aborted) return;
    const wasPaused = this.paused;
    this.pauses.add(reason);
    if (!wasPaused) this.consumer.setPaused(this, true);
  }

  resume(reason = BUSY): void {
    if (this.lost.aborted || !this.pauses.delete(reason) || this.paused) return;
    this.consumer.setPaused(this, false);
  }

  confirm(): Promise<void> {
    return this.lost.aborted ? Promise.reject(new Error('the partition is lost')) : this.consumer.confirm();
  }

  abandon(): void {
    if (!this.lost.aborted) this.consumer.abandon();
  }

  /** @returns what to commit, or undefined when nothing changed since the last call */
  takeCommit(): Commit | undefined {
    if (!this.isChanged) return undefined;
    this.isChanged = false;
    const offset = this.watermark.committable;
    return { offset: String(offset), metadata: encodeFinished(offset, this.watermark.finishedAbove()) };
  }

  /** The last commit taken did not reach the broker. */
  commitFailed(): void {
    this.isChanged = true;
  }

  lose(): void {
    this.loss.abort();
  }
}
