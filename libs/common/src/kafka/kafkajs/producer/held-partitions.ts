import { Logger } from '@nestjs/common';
import type { OutRecord } from '../../../records/record.js';
import { Backoff } from '../../../timing/backoff.js';
import { delay } from '../../../timing/timing.js';
import { splitPart, takeParts, type WritePart } from './pending-write.js';

/** The parts of a producer that held partitions need. */
export interface PartSender {
  /** Of one request. */
  readonly maxBytes: number;
  /** `topic/partition` of a record. */
  partitionOf(record: OutRecord): string;
  /** @throws Kafka's error; then it is unknown whether the records are stored */
  send(parts: readonly WritePart[]): Promise<void>;
  /** A part is stored, or can never be. */
  settle(part: WritePart, error?: Error): void;
  /** Whether this record can never be stored. */
  isHopeless(error: unknown): error is Error;
}

/**
 * Partitions whose last request failed. Each has its own ordered queue and its own retries with backoff. So a missing topic,
 * a partition without a leader or a silent broker holds only the writes that need it. A partition with an empty queue is no
 * longer held. The queues count as pending writes of the producer.
 */
export class HeldPartitions {
  private readonly logger = new Logger(HeldPartitions.name);
  private readonly queues = new Map<string, WritePart[]>();
  private readonly pumps = new Set<Promise<void>>();

  constructor(private readonly sender: PartSender) {}

  get size(): number {
    return this.queues.size;
  }

  /** Resolves when nothing that is held now is held any more. */
  async settled(): Promise<void> {
    await Promise.all(this.pumps);
  }

  /** A request with these parts failed: every partition in it is tried by itself. */
  hold(parts: readonly WritePart[], cause: unknown): void {
    for (const part of parts) {
      for (const [name, own] of splitPart(part, (record) => this.sender.partitionOf(record))) {
        this.enqueue(name, own, cause);
      }
    }
  }

  /**
   * Keeps the order of each partition: records of a held one enter the end of its queue.
   *
   * @returns the parts that may be sent now; undefined when none may
   */
  withoutHeld(part: WritePart): WritePart | undefined {
    const free = '';
    const groups = splitPart(part, (record) => {
      const name = this.sender.partitionOf(record);
      return this.queues.has(name) ? name : free;
    });
    for (const [name, own] of groups) if (name !== free) this.queues.get(name)?.push(own);
    return groups.get(free);
  }

  private enqueue(name: string, part: WritePart, cause: unknown): void {
    const queue = this.queues.get(name);
    if (queue) {
      queue.push(part);
      return;
    }
    const created = [part];
    this.queues.set(name, created);
    const pump = this.pump(name, created, cause).finally(() => this.pumps.delete(pump));
    this.pumps.add(pump);
  }

  private async pump(name: string, queue: WritePart[], cause: unknown): Promise<void> {
    let failures = 1;
    let parts: WritePart[] = [];
    const backoff = new Backoff();
    for (let waitMs = backoff.next(); ; ) {
      if (waitMs > 0) await delay(waitMs);
      parts = parts.filter(({ write }) => !write.isSettled);
      if (parts.length === 0) parts = takeParts(queue, this.sender.maxBytes);
      if (parts.length === 0 && queue.length === 0) break;
      const error = await this.try(parts);
      if (error === undefined) {
        parts = [];
        backoff.reset();
        waitMs = 0;
      } else {
        if (++failures === REPORTED_FAILURES) this.logger.warn({ err: error, log: name }, 'kafka.partition_held');
        waitMs = backoff.next();
      }
    }
    this.queues.delete(name);
    if (failures >= REPORTED_FAILURES) this.logger.log({ log: name, failures }, 'kafka.partition_free');
    else this.logger.debug({ err: cause, log: name }, 'kafka.produce_failed');
  }

  /** @returns the wait before the next try; undefined when all parts are settled */
  private async try(parts: readonly WritePart[]): Promise<unknown> {
    try {
      await this.sender.send(parts);
      for (const part of parts) this.sender.settle(part);
      return undefined;
    } catch (error) {
      if (!this.sender.isHopeless(error)) return error ?? new Error('unknown');
      return this.tryOneByOne(parts, error);
    }
  }

  /** One record that can never be stored must not take the others of its request along. */
  private async tryOneByOne(parts: readonly WritePart[], cause: Error): Promise<unknown> {
    const [only] = parts;
    if (parts.length === 1 && only) {
      this.sender.settle(only, cause);
      return undefined;
    }
    for (const part of parts) {
      const error = await this.try([part]);
      if (error !== undefined) return error;
    }
    return undefined;
  }
}

/** A partition that fails as often as this is reported; one that moves to another leader fails once or twice. */
const REPORTED_FAILURES = 3;
