import { Watermark } from '../../collections/watermark.js';
import { decodeLog, encodeCommit } from '../../domain/commit-metadata.js';
import type { ReadExtent } from '../../domain/start-offset.js';
import type { InRecord } from '../../records/record.js';
import type { FencedLog } from '../port/owned-log.js';
import type { TopicIdentity } from '../port/topic-identity.js';
import { EvidenceKeeper } from './evidence-keeper.js';
import type { FetchedLog } from './fetched-log.js';
import type { StartPosition } from './start-position.js';

/** A commit of one partition: the watermark, and the finished offsets above it. */
export interface Commit {
  readonly offset: string;
  readonly metadata: string;
}

/** Requests of a partition to its consumer. */
export interface PartitionConsumer {
  setPaused(log: OwnedPartition, isPaused: boolean): void;
  confirm(): Promise<void>;
  abandon(): void;
  readAgain(log: OwnedPartition, from: number): Promise<FetchedLog>;
}

const BUSY = 'busy';

/** The state of one partition from assignment to loss: position, finished offsets, last commit. */
export class OwnedPartition implements FencedLog {
  private readonly watermark: Watermark;
  private readonly loss = new AbortController();
  private readonly pauses = new Set<string>();
  private isChanged: boolean;
  private isPreparing = true;
  deferred = 0;
  /** The offset the next batch must begin with; any other batch is of an older assignment. */
  position: number;
  /** Behind the last record that was read; where the reading began, or went on behind lost records, without one. */
  recordsEnd: number;
  readonly start: number;
  readonly partition: number;
  readonly identity: TopicIdentity;
  readonly extent: ReadExtent;
  /** Of the last batch that was read; undefined before the first. */
  leaderEpoch: number | undefined;
  /** Only where the broker gives no topic ids. */
  private readonly evidence: EvidenceKeeper | undefined;

  /**
   * @param topic without prefix
   * @param from where this owner starts
   * @param askExtent asks for the present extent of the log
   */
  constructor(
    readonly topic: string,
    readonly partitions: number,
    from: StartPosition,
    private readonly consumer: PartitionConsumer,
    readonly askExtent: () => Promise<ReadExtent>,
  ) {
    this.watermark = new Watermark(from.offset, from.finishedAbove);
    this.position = from.offset;
    this.recordsEnd = from.offset;
    this.start = from.offset;
    this.partition = from.partition;
    this.identity = from.identity;
    this.extent = from.extent;
    const kept = from.change === undefined ? decodeLog(from.committed.metadata) : undefined;
    // A commit that names no log, or another one, is replaced at once.
    this.isChanged = from.change !== undefined || (from.committed.offset >= 0 && kept === undefined);
    this.leaderEpoch = kept?.leaderEpoch;
    if (from.identity.topicId === undefined) this.evidence = new EvidenceKeeper(kept?.evidence);
  }

  get lost(): AbortSignal {
    return this.loss.signal;
  }

  get unfinished(): number {
    return this.watermark.unfinished - this.deferred;
  }

  get paused(): boolean {
    return this.pauses.size > 0;
  }

  /** Whether its owner takes records: a fetch that was under way when the log was taken over may come before that. */
  get isReady(): boolean {
    return !this.isPreparing;
  }

  /** The app knows the log. The log is ready unless the app has paused it. */
  opened(): void {
    this.isPreparing = this.paused;
  }

  /**
   * A fetch from `position` on was read. Offsets without a record (aborted, control, compacted) count as finished.
   *
   * @returns the records that need work
   */
  take({ records, next, leaderEpoch = this.leaderEpoch }: FetchedLog): InRecord[] {
    if (next === this.position) return [];
    this.position = next;
    this.leaderEpoch = leaderEpoch;
    const newest = records.at(-1);
    if (newest !== undefined) {
      this.recordsEnd = newest.offset + 1;
      this.evidence?.add(newest.offset, newest.timestamp);
    }
    this.isChanged = true;
    const begun = records.filter(({ offset }) => this.watermark.begin(offset));
    this.watermark.pass(next);
    return begun;
  }

  /** Goes on behind records that the log does not have any more. */
  skipTo(offset: number): void {
    this.position = offset;
    this.recordsEnd = offset;
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
    this.isPreparing = false;
    this.consumer.setPaused(this, false);
  }

  confirm(): Promise<void> {
    return this.lost.aborted ? Promise.reject(new Error('the partition is lost')) : this.consumer.confirm();
  }

  abandon(): void {
    if (!this.lost.aborted) this.consumer.abandon();
  }

  readAgain(from: number): Promise<FetchedLog> {
    return this.consumer.readAgain(this, from);
  }

  /** @returns the next commit, or undefined when nothing changed since the last call */
  takeCommit(): Commit | undefined {
    if (!this.isChanged) return undefined;
    this.isChanged = false;
    const offset = this.watermark.committable;
    const { leaderEpoch, identity } = this;
    const log = { topicId: identity.topicId, leaderEpoch, evidence: this.evidence?.below(offset) };
    return { offset: String(offset), metadata: encodeCommit(log, offset, this.watermark.finishedAbove()) };
  }

  /** The last commit taken did not reach the broker. */
  commitFailed(): void {
    this.isChanged = true;
  }

  lose(): void {
    this.loss.abort();
  }
}
