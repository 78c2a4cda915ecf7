import { setTimeout as delay } from 'node:timers/promises';
import type { RecordProducer } from '#common/kafka/port/record-writer.js';
import type { Ipc } from '../ipc.ts';
import type { Arrivals, Count } from '../messages.ts';
import { percentiles } from '../percentiles.ts';
import { residentMb } from '../process-usage.ts';
import type { BenchSystem } from '../system.ts';
import { eventValue } from '../throughput/event.ts';
import { addressOf } from './registrations.ts';

/** Endpoints in use, each with the same share of the events. */
export interface Use {
  readonly registered: number;
  readonly in_use: number;
  readonly deliveries_per_s: number;
  /** CPU of the dispatcher; undefined after a restart. */
  readonly dispatcher_us?: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  /** Of any app, in both parts. */
  readonly restarts: number;
  readonly missing: number;
  /** Most at once, at the receiver. */
  readonly connections: number;
  /** MiB of the dispatcher, at most. */
  readonly dispatcher_mb: number;
}

export interface Limits {
  /** Least and most events at full speed: each endpoint in use gets one at least, up to the most. */
  readonly leastEvents: number;
  readonly mostEvents: number;
  /** Time of the part at a steady rate. */
  readonly steadyS: number;
}

const BATCH = 500;
/** Most deliveries in flight, as in the benchmark of throughput. */
const WINDOW = 10_000;
const POLL_MS = 20;
/** Events a second of the steady part. */
const STEADY_PER_S = 500;
const STEADY_TICK_MS = 20;
/** Longest time of the part at full speed, and without a further arrival. */
const LONGEST_MS = 60_000;
const STALLED_MS = 20_000;
const WATCH_MS = 500;
/** Of the log of an app that has crashed. */
const LOG_LINES = 4;
/** As in the benchmark of throughput: the last ones say little about the rate. */
const COUNTED_SHARE = 0.9;

/** Publishes to many endpoints, first at full speed, then at a steady rate. */
export class UsageLoad {
  private readonly system: BenchSystem;
  private readonly receiver: Ipc;
  private readonly producer: RecordProducer;
  #published = 0;
  #connections = 0;

  constructor(system: BenchSystem, receiver: Ipc, producer: RecordProducer) {
    this.system = system;
    this.receiver = receiver;
    this.producer = producer;
  }

  async warmUp(endpoints: number, events: number) {
    await this.receiver.ask({ start: { failRate: 0 } });
    await this.#flood(endpoints, events);
  }

  async measure(registered: number, inUse: number, { leastEvents, mostEvents, steadyS }: Limits): Promise<Use> {
    const watch = new Watch(this.system);
    this.#connections = 0;
    const events = Math.min(mostEvents, Math.max(leastEvents, inUse));
    await this.receiver.ask({ start: { failRate: 0 } });
    const before = this.system.usage().dispatcher ?? 0;
    const startedAt = Date.now();
    const flooded = await this.#flood(inUse, events);
    const cpuS = (this.system.usage().dispatcher ?? 0) - before;
    const { acceptedAt } = await this.receiver.ask<Arrivals>('report');
    await this.receiver.ask({ start: { failRate: 0 } });
    const steady = await this.#steady(inUse, steadyS);
    const { latencies } = await this.receiver.ask<Arrivals>('report');
    const { p50, p99 } = percentiles(latencies);
    const { restarts, rssMb } = await watch.stop();
    const counted = acceptedAt[Math.floor(acceptedAt.length * COUNTED_SHARE) - 1] ?? Number.POSITIVE_INFINITY;
    return {
      registered,
      in_use: inUse,
      deliveries_per_s: Math.round((acceptedAt.length * COUNTED_SHARE * 1_000) / (counted - startedAt)),
      ...(restarts === 0 ? { dispatcher_us: Math.round((cpuS * 1_000_000) / acceptedAt.length) } : {}),
      p50_ms: p50,
      p99_ms: p99,
      restarts,
      missing: flooded - acceptedAt.length + steady - latencies.length,
      connections: this.#connections,
      dispatcher_mb: rssMb,
    };
  }

  /** @returns how many were published: fewer than asked for when the time is over */
  async #flood(endpoints: number, events: number): Promise<number> {
    const endsAt = Date.now() + LONGEST_MS;
    let accepted = 0;
    let sent = 0;
    while (sent < events && Date.now() < endsAt) {
      if (sent >= accepted + WINDOW) {
        await delay(POLL_MS);
        accepted = await this.#count();
        continue;
      }
      const count = Math.min(BATCH, events - sent);
      await this.#publish(endpoints, count);
      sent += count;
    }
    await this.#arrived(sent);
    return sent;
  }

  async #steady(endpoints: number, seconds: number): Promise<number> {
    const startedAt = Date.now();
    let sent = 0;
    while (sent < seconds * STEADY_PER_S) {
      const due = Math.floor(((Date.now() - startedAt) * STEADY_PER_S) / 1_000);
      const count = Math.min(due, seconds * STEADY_PER_S) - sent;
      if (count > 0) await this.#publish(endpoints, count);
      sent += Math.max(0, count);
      await delay(STEADY_TICK_MS);
    }
    await this.#arrived(sent);
    return sent;
  }

  async #publish(endpoints: number, count: number) {
    const records = Array.from({ length: count }, () => {
      const number = this.#published++;
      const resource = `r${number}`;
      const event = { id: `growth-${number}`, resource, at: Date.now(), ...addressOf(number % endpoints) };
      return { topic: 'ingest', key: resource, value: eventValue(event) };
    });
    await this.producer.write(records);
  }

  /** @returns arrivals since the last start */
  async #count(): Promise<number> {
    const { accepted, connections } = await this.receiver.ask<Count>('count');
    this.#connections = Math.max(this.#connections, connections);
    return accepted;
  }

  async #arrived(expected: number) {
    let known = 0;
    let changedAt = Date.now();
    while (known < expected && Date.now() - changedAt < STALLED_MS) {
      await delay(POLL_MS);
      const accepted = await this.#count();
      if (accepted > known) [known, changedAt] = [accepted, Date.now()];
    }
  }
}

/** Starts apps again that have crashed, and samples the dispatcher's memory. */
class Watch {
  private readonly system: BenchSystem;
  private readonly timer = setInterval(() => this.#look(), WATCH_MS);
  #restarting: Promise<void> | undefined;
  #restarts = 0;
  #rssMb = 0;

  constructor(system: BenchSystem) {
    this.system = system;
  }

  async stop() {
    clearInterval(this.timer);
    await this.#restarting;
    return { restarts: this.#restarts, rssMb: this.#rssMb };
  }

  #look() {
    this.#rssMb = Math.max(this.#rssMb, residentMb(this.system.apps.get('dispatcher')?.server.pid ?? 0));
    this.#restarting ??= this.#restart().finally(() => {
      this.#restarting = undefined;
    });
  }

  async #restart() {
    for (const [app, { server }] of this.system.apps) {
      if (server.isAlive || this.system.isStopping) continue;
      this.#restarts++;
      console.log(`${app} has crashed, and starts again\n${server.logTail(LOG_LINES)}`);
      await this.system.startAgain(app).catch(() => undefined);
    }
  }
}
