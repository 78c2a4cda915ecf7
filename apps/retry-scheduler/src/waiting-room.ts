import TinyQueue from 'tinyqueue';
import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import type { Waiting } from './waiting.js';

interface Held {
  readonly waiting: Waiting;
  readonly until: number;
}

/**
 * The records of one or more partitions that this process holds, soonest first. It is bounded in bytes: when full, its
 * partitions are paused, and what stays in Kafka is late, never early; below half they go on, early because a resumed
 * partition may wait for one long poll (measured: up to 0.9 s). A batch already fetched may exceed the bound.
 *
 * An upper tier has a room per partition. Its log is sorted by when records leave it, so the room is a read-ahead of the
 * log's head, however much waits behind. The eager tier is not sorted: all its partitions share one large room.
 */
export class WaitingRoom {
  private queue = new TinyQueue<Held>([], soonest);
  private readonly logs = new Set<OwnedLog>();
  private heldBytes = 0;
  private isFull = false;

  constructor(private readonly limitBytes: number) {}

  /** When the first record leaves; undefined when none waits. */
  get nextAt(): number | undefined {
    return this.queue.peek()?.until;
  }

  /** Records waiting. */
  get records(): number {
    return this.queue.length;
  }

  /** Bytes of the records waiting, and of those taken and not yet released. */
  get bytes(): number {
    return this.heldBytes;
  }

  /**
   * Whether all unfinished records of a partition wait here for their time. One that has left the queue and is not
   * finished is on its way out: it does not wait.
   *
   * @param overdueAt what should have left before this moment is overdue, ms since the epoch
   */
  isOnTime(log: OwnedLog, overdueAt: number): boolean {
    const own = this.queue.data.filter(({ waiting }) => waiting.log === log);
    return own.length === log.unfinished && own.every(({ until }) => until >= overdueAt);
  }

  open(log: OwnedLog): void {
    this.logs.add(log);
    if (this.isFull) log.pause();
  }

  /** @param until when it leaves, ms since the epoch */
  put(waiting: Waiting, until: number): void {
    this.queue.push({ waiting, until });
    this.reserve(waiting.bytes);
  }

  /** Counts what is kept beside the queue. */
  reserve(bytes: number): void {
    this.heldBytes += bytes;
    if (this.isFull || this.heldBytes < this.limitBytes) return;
    this.isFull = true;
    for (const log of this.logs) log.pause();
  }

  /** Removes the first record if its time has come. Its bytes count until they are released. */
  takeDue(nowMs: number): Waiting | undefined {
    const next = this.queue.peek();
    return next && next.until <= nowMs ? this.queue.pop()?.waiting : undefined;
  }

  /** What was taken or reserved is kept no longer. */
  release(bytes: number): void {
    this.heldBytes -= bytes;
    if (!this.isFull || this.heldBytes * 2 >= this.limitBytes) return;
    this.isFull = false;
    for (const log of this.logs) log.resume();
  }

  /** Forgets a partition and its records: its next owner reads them again. */
  close(log: OwnedLog): void {
    this.logs.delete(log);
    const dropped = this.queue.data.filter(({ waiting }) => waiting.log === log);
    this.queue = new TinyQueue(
      this.queue.data.filter(({ waiting }) => waiting.log !== log),
      soonest,
    );
    this.release(dropped.reduce((sum, { waiting }) => sum + waiting.bytes, 0));
  }
}

/** Within a partition, records of the same time keep the log's order. */
function soonest(a: Held, b: Held): number {
  return a.until - b.until || a.waiting.offset - b.waiting.offset;
}
