import { setTimeout as delay } from 'node:timers/promises';
import { kafkaClient } from '#common/kafka/connect.js';
import type { RecordProducer } from '#common/kafka/port/record-writer.js';
import { until } from '../../lib/until.mjs';
import { readMetrics } from '../app-metrics.ts';
import type { Ipc } from '../ipc.ts';
import { benchKafkaSettings } from '../kafka-settings.ts';
import type { Arrivals, Count } from '../messages.ts';
import type { BenchSystem } from '../system.ts';
import { eventValue } from './event.ts';
import { HttpDoor } from './http-door.ts';
import type { Scene } from './scene.ts';

const RESOURCES = 1_000;
/** Requests in flight, as in the raw loop. */
const IN_FLIGHT = 64;
const BATCH = 500;
const WARM_UP_EVENTS = 25_000;
/**
 * Most deliveries in flight. The benchmark measures a flow through all apps at once. Without a limit, ingest would
 * accept all events first, and the dispatcher would drain them alone.
 */
const WINDOW = 10_000;
const WINDOW_POLL_MS = 20;
/** Time for a new endpoint to reach the routers and dispatchers. */
const SETTLE_MS = 1_000;
const POLL_MS = 100;
/** After this time without an arrival, the missing deliveries count as lost. */
const STALLED_MS = 20_000;
/**
 * Share of deliveries that the rate is measured over. The last ones wait for retries, which depends on the policy
 * alone.
 */
const COUNTED_SHARE = 0.9;
/** Short delays for retries, so that a run measures work and not waiting. */
const RETRY_DELAYS_S = [0.5, 1, 2, 4];

/** Publishes through both doors and counts arrivals. */
export class Load {
  readonly receiver: Ipc;
  readonly receiverPort: number;
  readonly http: HttpDoor;
  private readonly system: BenchSystem;
  private readonly producer: RecordProducer;
  #scene = 0;

  constructor(system: BenchSystem, receiver: Ipc, receiverPort: number, producer: RecordProducer) {
    this.system = system;
    this.receiver = receiver;
    this.receiverPort = receiverPort;
    this.producer = producer;
    this.http = new HttpDoor(system.port('ingest'), system.apiKey);
  }

  static async start(system: BenchSystem, receiver: Ipc, receiverPort: number) {
    const producer = kafkaClient(benchKafkaSettings(system.kafka.brokers)).producer();
    await producer.connect();
    return new Load(system, receiver, receiverPort, producer);
  }

  async stop() {
    await this.producer.close();
    this.http.close();
  }

  /** Warm-up: code is compiled, connections are opened. */
  async warmUp(events = WARM_UP_EVENTS) {
    for (const door of ['kafka', 'http'] as const) {
      await this.measure({ door, endpoints: 1, ordering: 'resource', failRate: 0, events });
    }
  }

  /** Registers endpoints, publishes as fast as the door takes it, and waits for the deliveries. */
  async measure(scene: Scene) {
    const { type, remove } = await this.register(scene);
    await this.receiver.ask({ start: { failRate: scene.failRate } });
    const diskBefore = await this.system.diskBytes();
    const projected = await this.#projected();
    const before = this.system.usage();
    const startedAt = Date.now();
    await this.publish(scene, type);
    const expected = scene.events * scene.endpoints;
    const { acceptedAt, requests } = await this.#arrived(expected);
    // The cost of a delivery includes its projection into the database.
    const isProjected = async () => (await this.#projected()) - projected >= requests;
    await until('all attempts are in the database', isProjected, { timeoutMs: STALLED_MS, everyMs: POLL_MS });
    const cpu = this.system.cpuSince(before);
    const disk = await this.system.diskBytes();
    await remove();
    const counted = acceptedAt[Math.floor(expected * COUNTED_SHARE) - 1] ?? Number.POSITIVE_INFINITY;
    const perSecond = (expected * COUNTED_SHARE * 1_000) / (counted - startedAt);
    return {
      door: scene.door,
      endpoints: scene.endpoints,
      ordering: scene.ordering,
      fail_rate: scene.failRate,
      deliveries_per_s: Math.round(perSecond),
      cpu_us: mapValues(cpu, (seconds) => Math.round((seconds * 1_000_000) / expected)),
      disk_bytes: {
        kafka: Math.round((disk.kafka - diskBefore.kafka) / expected),
        postgres: Math.round((disk.postgres - diskBefore.postgres) / expected),
      },
      missing: expected - acceptedAt.length,
    };
  }

  /** @returns the event type of the scene's endpoints */
  async register({ endpoints, ordering }: Pick<Scene, 'endpoints' | 'ordering'>) {
    const type = `bench.s${this.#scene++}`;
    const url = `http://127.0.0.1:${this.receiverPort}/${type}`;
    const settings = {
      event_types: [type],
      ordering,
      max_in_flight: IN_FLIGHT,
      retry_policy: { delays_s: RETRY_DELAYS_S },
    };
    const ids: string[] = [];
    for (let number = 0; number < endpoints; number++) {
      const { id } = await this.#createEndpoint({ ...settings, url: `${url}/${number}` });
      ids.push(id);
    }
    await delay(SETTLE_MS);
    const remove = async () => {
      for (const id of ids) await this.system.call('control', 'DELETE', `/v1/endpoints/${id}`);
    };
    return { type, remove };
  }

  async publish({ door, events, endpoints }: Scene, type: string) {
    if (door === 'http') return this.http.publishAll(events, (number) => eventOf(type, number).value);
    let accepted = 0;
    for (let from = 0; from < events; from += BATCH) {
      while (from * endpoints > accepted + WINDOW) {
        await delay(WINDOW_POLL_MS);
        ({ accepted } = await this.receiver.ask<Count>('count'));
      }
      const records = Array.from({ length: Math.min(BATCH, events - from) }, (_, index) => ({
        topic: 'ingest',
        ...eventOf(type, from + index),
      }));
      await this.producer.write(records);
    }
  }

  #createEndpoint(endpoint: object) {
    return this.system.post<{ id: string }>('control', '/v1/endpoints', endpoint);
  }

  async #projected() {
    return (await readMetrics(this.system.port('control')))('posthorn_projected_attempts_total');
  }

  async #arrived(expected: number) {
    let report = await this.receiver.ask<Count>('count');
    let changedAt = Date.now();
    while (report.accepted < expected && Date.now() - changedAt < STALLED_MS) {
      await delay(POLL_MS);
      const { accepted } = report;
      report = await this.receiver.ask<Count>('count');
      if (report.accepted > accepted) changedAt = Date.now();
    }
    return this.receiver.ask<Arrivals>('report');
  }
}

export function eventOf(type: string, number: number) {
  const resource = `r${number % RESOURCES}`;
  return { key: resource, value: eventValue({ id: `${type}-${number}`, type, resource, at: Date.now() }) };
}

export function mapValues<V, W>(object: Record<string, V>, map: (value: V) => W): Record<string, W> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value)]));
}
