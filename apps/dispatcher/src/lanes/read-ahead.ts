import { Inject, Injectable } from '@nestjs/common';
import { MEMORY_LIMITS, type MemoryLimits } from '../deliveries/memory-budget.js';
import * as metrics from './metrics.js';

/** Parked rows may take this share of `MEMORY_LIMIT_BYTES`, in addition to deliveries from the logs. */
const SHARE_OF_MEMORY = 1 / 2;
/** One endpoint's share of that: a hanging endpoint leaves room for the others. */
const SHARE_OF_ENDPOINT = 1 / 4;
/** Expected bytes of a page before any page was read. */
const FIRST_PAGE_BYTES = 64 * 1_024;
/** The expected bytes fall to this share with each smaller page. */
const MEMORY_OF_PAGES = 0.99;

/** A lane that reads parked rows. */
export interface Reader {
  readonly endpointId: string;
  /** Bytes held for the lane; only ReadAhead changes them. */
  readBytes: number;
}

interface Waiting {
  readonly reader: Reader;
  readonly ended: AbortSignal;
  readonly go: () => void;
}

/**
 * Limits the bytes of parked rows that were read and are not over. A lane asks before it reads a page. Until the page is read,
 * the bytes of recent large pages are held for it.
 */
@Injectable()
export class ReadAhead {
  private readonly limit: number;
  private readonly held = new Map<string, number>();
  /** Lanes that wait to read, by endpoint; the endpoint that was served last comes last. */
  private readonly waiting = new Map<string, Waiting[]>();
  private bytes = 0;
  private pageBytes = FIRST_PAGE_BYTES;

  constructor(@Inject(MEMORY_LIMITS) limits: MemoryLimits) {
    this.limit = limits.bytes * SHARE_OF_MEMORY;
    metrics.exposeReadAhead(() => this.bytes);
  }

  /** Some of the endpoint's lanes wait to read: more awake lanes would only wait, too. */
  isWaiting(endpointId: string): boolean {
    return this.waiting.has(endpointId);
  }

  /** Holds bytes for a page, if there is room. @returns whether they are held, now or already */
  tryEnter(reader: Reader): boolean {
    if (reader.readBytes > 0) return true;
    if (this.isWaiting(reader.endpointId) || !this.hasRoom(reader.endpointId)) return false;
    this.hold(reader, this.pageBytes);
    return true;
  }

  /** Resolves when bytes for a page are held for the reader; never after `ended`. */
  enter(reader: Reader, ended: AbortSignal): Promise<void> {
    return new Promise((go) => {
      const queue = this.waiting.get(reader.endpointId) ?? [];
      queue.push({ reader, ended, go });
      this.waiting.set(reader.endpointId, queue);
    });
  }

  /** The reader has its page. */
  read(reader: Reader, bytes: number): void {
    this.pageBytes = Math.max(bytes, Math.floor(this.pageBytes * MEMORY_OF_PAGES));
    this.hold(reader, bytes);
  }

  /** @param bytes that the reader has read and that are not over */
  hold(reader: Reader, bytes: number): void {
    const change = bytes - reader.readBytes;
    if (change === 0) return;
    reader.readBytes = bytes;
    this.bytes += change;
    const held = (this.held.get(reader.endpointId) ?? 0) + change;
    if (held > 0) this.held.set(reader.endpointId, held);
    else this.held.delete(reader.endpointId);
    if (change < 0) this.serve();
  }

  private serve(): void {
    for (let isAnyServed = this.waiting.size > 0; isAnyServed; ) {
      isAnyServed = false;
      for (const endpointId of [...this.waiting.keys()]) isAnyServed = this.serveOne(endpointId) || isAnyServed;
    }
  }

  /** @returns false when none of the endpoint's lanes may read now */
  private serveOne(endpointId: string): boolean {
    const queue = this.waiting.get(endpointId) ?? [];
    while (queue[0]?.ended.aborted) queue.shift();
    const next = this.hasRoom(endpointId) ? queue.shift() : undefined;
    if (next !== undefined || queue.length === 0) this.waiting.delete(endpointId);
    if (queue.length > 0) this.waiting.set(endpointId, queue);
    if (next === undefined) return false;
    this.hold(next.reader, this.pageBytes);
    next.go();
    return true;
  }

  /** One page always fits where there is none. */
  private hasRoom(endpointId: string): boolean {
    const held = this.held.get(endpointId) ?? 0;
    const fits = (taken: number, limit: number) => taken === 0 || taken + this.pageBytes <= limit;
    return fits(this.bytes, this.limit) && fits(held, this.limit * SHARE_OF_ENDPOINT);
  }
}
