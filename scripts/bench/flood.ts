import { setTimeout as delay } from 'node:timers/promises';
import type { RecordProducer } from '#common/kafka/port/record-writer.js';
import { eventValue } from './throughput/event.ts';

const TICK_MS = 10;
/** Of one write: below the largest record batch of a topic. */
const MAX_WRITE_BYTES = 256 * 1_024;
const MAX_WRITE_EVENTS = 500;
/** Writes that may wait for their acknowledgement. Beyond it the flood waits, so its memory is bounded. */
const MAX_WRITES = 64;

export interface FloodedEvents {
  /** Put before the number of each event. */
  readonly prefix: string;
  /** The events have them by turns. */
  readonly types: readonly string[];
  readonly tenant: string;
  readonly bytes: number;
  /** Number of resources that the events have by turns. */
  readonly resources: number;
}

/** Writes events to `ingest` over Kafka. */
export class Flood {
  private readonly producer: RecordProducer;
  private readonly events: FloodedEvents;
  private readonly writes = new Set<Promise<void>>();
  private error: unknown;
  /** Events that were handed over to the producer. */
  sent = 0;

  constructor(producer: RecordProducer, events: FloodedEvents) {
    this.producer = producer;
    this.events = events;
  }

  /** @throws KafkaUnavailableError when Kafka does not acknowledge an event */
  async burst(count: number): Promise<void> {
    const end = this.sent + count;
    while (this.sent < end) await this.write(end - this.sent);
    await this.acknowledged();
  }

  /** @throws KafkaUnavailableError */
  async atRate(perSecond: number, seconds: number): Promise<void> {
    const startedAt = performance.now();
    const elapsed = () => (performance.now() - startedAt) / 1_000;
    while (elapsed() < seconds) {
      const due = Math.floor(elapsed() * perSecond);
      while (this.sent < due) await this.write(due - this.sent);
      await delay(TICK_MS);
    }
    await this.acknowledged();
  }

  /** One write of at most `most` events. */
  private async write(most: number): Promise<void> {
    while (this.writes.size >= MAX_WRITES) await Promise.race(this.writes);
    if (this.error !== undefined) throw this.error;
    const { bytes } = this.events;
    const count = Math.min(most, MAX_WRITE_EVENTS, Math.max(1, Math.floor(MAX_WRITE_BYTES / bytes)));
    const records = Array.from({ length: count }, () => this.next());
    const writing: Promise<void> = this.producer
      .write(records)
      .catch((error: unknown) => {
        this.error = error;
      })
      .finally(() => this.writes.delete(writing));
    this.writes.add(writing);
  }

  private next() {
    const { prefix, resources, types, tenant, bytes } = this.events;
    const number = this.sent++;
    const type = types[number % types.length] ?? prefix;
    const resource = `r${number % resources}`;
    const value = eventValue({ id: `${prefix}-${number}`, type, tenant, bytes, resource, at: Date.now() });
    return { topic: 'ingest', key: resource, value };
  }

  private async acknowledged() {
    await Promise.all(this.writes);
    if (this.error !== undefined) throw this.error;
  }
}
