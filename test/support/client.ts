import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Message, Producer, RecordMetadata } from 'kafkajs';
import { kafkaClient, keyedProducer } from '../../scripts/lib/kafka-client.js';
import type { Hook } from './receiver.js';
import type { RunningSystem } from './system.js';
import { TopicTail } from './topic-tail.js';
import { until } from './until.js';

/** A new endpoint takes events accepted this long after its 201. This is a promise, so no test waits longer. */
export const ENDPOINT_KNOWN_AFTER_MS = 500;

export interface EventInput {
  readonly id?: string;
  readonly type: string;
  readonly tenant?: string;
  readonly resource_id?: string;
  readonly occurred_at?: string;
  readonly data: unknown;
}

export interface ShownAttempt {
  readonly at: string;
  readonly status_code: number | null;
  readonly duration_ms: number;
  readonly error: string | null;
}

export interface ShownDelivery {
  readonly id: string;
  readonly event_id: string;
  readonly endpoint_id: string;
  readonly status: 'pending' | 'delivered' | 'retrying' | 'parked' | 'dead';
  readonly dead_reason: string | null;
  readonly replay: number;
  readonly attempts: readonly ShownAttempt[];
  readonly next_attempt_at: string | null;
}

export interface ShownDeadLetter {
  readonly id: string;
  readonly reason: string;
  readonly event_id: string | null;
  readonly endpoint_id: string | null;
  readonly source: string;
  readonly replayed_at: string | null;
}

/** A client of a running system: creates endpoints, publishes by both doors, and reads the history. */
export class Client {
  private constructor(
    readonly system: RunningSystem,
    readonly producer: Producer,
    /** All records of the topic `dlq`, from its start. */
    readonly dlq: TopicTail,
  ) {}

  static async connect(system: RunningSystem): Promise<Client> {
    const kafka = kafkaClient({ clientId: 'e2e', brokers: system.run.kafka_brokers, isQuiet: true });
    const producer = keyedProducer(kafka);
    const [dlq] = await Promise.all([TopicTail.start(kafka, 'dlq'), producer.connect()]);
    return new Client(system, producer, dlq);
  }

  async close(): Promise<void> {
    await Promise.all([this.producer.disconnect(), this.dlq.stop()]);
  }

  /**
   * Creates an endpoint at the hook, and waits until events reach it.
   *
   * @param input further fields of the endpoint; `event_types` is required
   * @returns id of the endpoint
   */
  async createEndpoint(hook: Hook, input: { event_types: string[] } & Record<string, unknown>): Promise<string> {
    const url = `${this.system.run.control_url}/v1/endpoints`;
    const { status, body } = await this.system.request(url, { url: hook.url, ...input });
    if (status !== 201) throw new Error(`the endpoint was not created: ${JSON.stringify(body)}`);
    const { id, secret } = body as { id: string; secret: string };
    hook.secret = secret;
    await delay(ENDPOINT_KNOWN_AFTER_MS);
    return id;
  }

  /** Publishes over HTTP. @returns id of the event */
  async publish(event: EventInput): Promise<string> {
    const { status, body } = await this.system.request(`${this.system.run.ingest_url}/v1/events`, event);
    if (status !== 202) throw new Error(`${status}: ${JSON.stringify(body)}`);
    return (body as { id: string }).id;
  }

  /** Publishes over Kafka, with the resource as key. @returns id of the event, and position of its record */
  async publishByKafka(event: EventInput): Promise<{ id: string; partition: number }> {
    const id = event.id ?? randomUUID();
    const value = JSON.stringify({ ...event, id });
    const { partition } = await this.produce('ingest', { key: event.resource_id ?? id, value });
    return { id, partition };
  }

  /** Writes one record to a topic, as any Kafka client may. @returns its position */
  async produce(topic: string, message: Message): Promise<RecordMetadata> {
    const [written] = await this.producer.send({ topic, acks: -1, messages: [message] });
    if (written === undefined) throw new Error('Kafka returned no offset of the record');
    return written;
  }

  /** @param filter query parameters */
  async deliveries(filter: Readonly<Record<string, string>>): Promise<readonly ShownDelivery[]> {
    return this.list('deliveries', filter);
  }

  /** Whether the router has archived the event and written its deliveries, if any. */
  async isRouted(eventId: string): Promise<boolean> {
    return (await this.system.request(`${this.system.run.control_url}/v1/events/${eventId}`)).status === 200;
  }

  async deadLetters(filter: Readonly<Record<string, string>>): Promise<readonly ShownDeadLetter[]> {
    return this.list('dead-letters', filter);
  }

  /**
   * Waits until the only delivery of an event has this status and number of attempts. Its dead letter and its attempts
   * come by different topics, in either order.
   */
  async deliveryOnce(eventId: string, wanted: Partial<ShownDelivery>, attempts = 0): Promise<ShownDelivery> {
    let found: readonly ShownDelivery[] = [];
    await until(`${eventId} is ${JSON.stringify(wanted)} after ${attempts} attempts or more`, async () => {
      found = await this.deliveries({ event_id: eventId });
      const isShown = (delivery: ShownDelivery) => isLike(delivery, wanted) && delivery.attempts.length >= attempts;
      return found.length > 0 && found.every(isShown);
    });
    const [delivery, another] = found;
    if (delivery === undefined || another !== undefined)
      throw new Error(`${eventId} does not have exactly one delivery`);
    return delivery;
  }

  /** The sum of a metric's series with these labels. */
  async metric(app: string, name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const text = await (await fetch(this.system.run.metrics_urls[app] ?? '')).text();
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
    const series = lines.filter((line) => wanted.every((label) => line.includes(label)));
    return series.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  private async list<T>(what: string, filter: Readonly<Record<string, string>>): Promise<readonly T[]> {
    const query = new URLSearchParams({ limit: '200', ...filter });
    const { status, body } = await this.system.request(`${this.system.run.control_url}/v1/${what}?${query}`);
    if (status !== 200) throw new Error(`${status}: ${JSON.stringify(body)}`);
    return (body as { items: T[] }).items;
  }
}

function isLike<T extends object>(actual: T, wanted: Partial<T>): boolean {
  return (Object.keys(wanted) as (keyof T)[]).every((name) => actual[name] === wanted[name]);
}
