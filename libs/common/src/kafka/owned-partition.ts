import { encodeFinished, Watermark } from '../domain/watermark.js';
import type { OwnedLog } from './port.js';

/** What a commit of one partition says: the watermark, and the finished offsets above it. */
export interface Commit {
  readonly offset: string;
  readonly metadata: string;
}

/** The state of one partition from assignment to loss: what was read, what is finished, what was committed. */
export class OwnedPartition implements OwnedLog {
  private readonly watermark: Watermark;
  private readonly loss = new AbortController();
  private isPaused = false;
  private isChanged = false;
  /** The offset the next batch must begin with; any other batch is of an older assignment. */
  position: number;
  /** End of the log, as last seen. */
  end = 0;

  /**
   * @param topic without prefix
   * @param onPause tells the consumer to stop, or go on, fetching this partition
   */
  constructor(
    readonly topic: string,
    readonly partition: number,
    readonly partitions: number,
    start: { readonly offset: number; readonly finishedAbove: readonly number[] },
    private readonly onPause: (log: OwnedPartition, isPaused: boolean) => void,
  ) {
    this.watermark = new Watermark(start.offset, start.finishedAbove);
    this.position = start.offset;
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
    return this.isPaused;
  }

  begin(offset: number): boolean {
    this.isChanged = true;
    return this.watermark.begin(offset);
  }

  finish(offset: number): void {
    if (this.lost.aborted) return;
    this.isChanged = true;
    this.watermark.finish(offset);
  }

  pause(): void {
    if (this.isPaused || this.lost.aborted) return;
    this.isPaused = true;
    this.onPause(this, true);
  }

  resume(): void {
    if (!this.isPaused || this.lost.aborted) return;
    this.isPaused = false;
    this.onPause(this, false);
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
