import TinyQueue from 'tinyqueue';
import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import type { WaitingDelivery } from './waiting.js';

interface QueuedDelivery {
  readonly waiting: WaitingDelivery;
  readonly until: number;
}

/**
 * The records that this process holds of one or more partitions, soonest first.
 *
 * The room is limited in bytes. When it is full, its partitions pause; records that stay in Kafka are late, never
 * early. Partitions resume below half of the limit, because a resumed partition may wait for a long poll (measured: at
 * most 0.9 s). A batch that was fetched before the pause may exceed the limit.
 *
 * An upper tier has one room per partition. Its log is sorted by the time at which records leave, so the room holds the
 * head of the log. The eager tier is not sorted: all its partitions share one large room.
 */
export class WaitingRoom {
  private queue = new TinyQueue<QueuedDelivery>([], soonest);
  private readonly logs = new Set<OwnedLog>();
  private heldBytes = 0;
  private isFull = false;

  constructor(private readonly limitBytes: number) {}

  /** Time at which the first record leaves; undefined for an empty room. */
  get nextAt(): number | undefined {
    return this.queue.peek()?.until;
  }

  /** Number of records waiting. */
  get records(): number {
    return this.queue.length;
  }

  /** Bytes of the records waiting, and of those taken and not yet released. */
  get bytes(): number {
    return this.heldBytes;
  }

  /**
   * Whether all unfinished records of a partition wait here, and none is overdue. A record that has left the queue and
   * is unfinished is being written: it does not wait.
   *
   * @param overdueAt ms since the epoch; records that should have left earlier are overdue
   */
  isOnTime(log: OwnedLog, overdueAt: number): boolean {
    const own = this.queue.data.filter(({ waiting }) => waiting.log === log);
    return own.length === log.unfinished && own.every(({ until }) => until >= overdueAt);
  }

  open(log: OwnedLog): void {
    this.logs.add(log);
    if (this.isFull) log.pause();
  }

  /** @param until time at which the record leaves, ms since the epoch */
  put(waiting: WaitingDelivery, until: number): void {
    this.queue.push({ waiting, until });
    this.reserve(waiting.bytes);
  }

  /** Counts bytes that are held outside the queue, too. */
  reserve(bytes: number): void {
    this.heldBytes += bytes;
    if (this.isFull || this.heldBytes < this.limitBytes) return;
    this.isFull = true;
    for (const log of this.logs) log.pause();
  }

  /** Removes the first record if it leaves at `nowMs` or before. Its bytes count until `release`. */
  takeDue(nowMs: number): WaitingDelivery | undefined {
    const next = this.queue.peek();
    return next && next.until <= nowMs ? this.queue.pop()?.waiting : undefined;
  }

  /** Subtracts the bytes of a record that was taken or reserved. */
  release(bytes: number): void {
    this.heldBytes -= bytes;
    if (!this.isFull || this.heldBytes * 2 >= this.limitBytes) return;
    this.isFull = false;
    for (const log of this.logs) log.resume();
  }

  /** Removes a lost partition and its records: the next owner reads them again. */
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
function soonest(a: QueuedDelivery, b: QueuedDelivery): number {
  return a.until - b.until || a.waiting.offset - b.waiting.offset;
}
