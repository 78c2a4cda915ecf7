import { setTimeout as delay } from 'node:timers/promises';
import { kafkaClient } from '#common/kafka/connect.js';
import type { RecordProducer } from '#common/kafka/port/record-writer.js';
import { createEndpoints } from '../endpoints.ts';
import { Flood } from '../flood.ts';
import { Ipc } from '../ipc.ts';
import { benchKafkaSettings } from '../kafka-settings.ts';
import type { Listening } from '../messages.ts';
import { BenchSystem } from '../system.ts';
import type { Arrivals, Arrived, Expect } from './messages.ts';

const POLL_MS = 250;
/** Time for a new endpoint to reach the routers and dispatchers. */
const SETTLE_MS = 2_000;
/** After this time without a further arrival, the missing deliveries count as lost. */
const STALLED_MS = 60_000;
const EVENT_BYTES = 500;

/** Which events the endpoints of a scene get. */
export interface Traffic {
  /** Settings of each endpoint. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Number of resources that the events have by turns. */
  readonly resources: number;
  /** Each event goes to all endpoints, not to one of them by turns. */
  readonly isFannedOut: boolean;
}

/** The system, the receiver, and the endpoints of a scene. */
export class Ground {
  readonly system: BenchSystem;
  private readonly receiver: Ipc;
  private readonly port: number;
  private readonly producer: RecordProducer;
  private scenes = 0;

  private constructor(system: BenchSystem, receiver: Ipc, port: number) {
    this.system = system;
    this.receiver = receiver;
    this.port = port;
    this.producer = kafkaClient(benchKafkaSettings(system.kafka.brokers)).producer();
  }

  static async start(): Promise<Ground> {
    const system = await BenchSystem.start();
    const receiver = new Ipc(new URL('./receiver.ts', import.meta.url));
    const { listening } = await receiver.next<Listening>();
    const ground = new Ground(system, receiver, listening);
    await ground.producer.connect();
    return ground;
  }

  async stop() {
    this.receiver.close();
    await this.producer.close();
    await this.system.stop();
  }

  /** Registers endpoints. @returns their ids, and the flood of their events */
  async prepare(expect: Expect, { settings = {}, resources, isFannedOut }: Traffic) {
    const type = `backlog${this.scenes++}`;
    await this.receiver.ask<Arrived>({ expect: { ...expect } });
    const types = Array.from({ length: isFannedOut ? 1 : expect.endpoints }, (_, number) => `${type}.t${number}`);
    const endpoints = Array.from({ length: expect.endpoints }, (_, number) => ({
      url: `http://127.0.0.1:${this.port}/${number}`,
      event_types: [types[number % types.length]],
      ...settings,
    }));
    const ids = await createEndpoints(this.system, endpoints);
    await delay(SETTLE_MS);
    const flood = new Flood(this.producer, { prefix: type, types, tenant: 'default', bytes: EVENT_BYTES, resources });
    return { ids, flood };
  }

  count(): Promise<Arrived> {
    return this.receiver.ask<Arrived>('count');
  }

  /** Waits until `count` says so, or nothing has arrived for a minute. */
  async settled(isDone: (arrived: Arrived) => boolean, pollMs = POLL_MS): Promise<void> {
    let known = 0;
    let changedAt = performance.now();
    while (performance.now() - changedAt < STALLED_MS) {
      const arrived = await this.count();
      if (isDone(arrived)) return;
      if (arrived.accepted + arrived.failed > known) changedAt = performance.now();
      known = arrived.accepted + arrived.failed;
      await delay(pollMs);
    }
  }

  /** @param sinceMs times are relative to it; ms since the epoch */
  arrivals(sinceMs: number): Promise<Arrivals> {
    return this.receiver.ask<Arrivals>({ report: { sinceMs } });
  }

  async remove(ids: readonly string[]) {
    for (const id of ids) await this.system.call('control', 'DELETE', `/v1/endpoints/${id}`);
  }
}
