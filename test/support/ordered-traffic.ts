import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from './cluster.js';
import { until } from './until.js';

export interface TrafficOptions {
  readonly resources: number;
  /** Events of each resource. */
  readonly rounds: number;
  /** Share of requests that are answered 500. */
  readonly failRate?: number;
  readonly ordering?: 'resource' | 'endpoint' | 'none';
  /** Response time of the endpoint. */
  readonly answerMs?: number;
  /** Interval between the starts of two rounds. */
  readonly roundMs?: number;
  /** Further settings of the endpoint. */
  readonly endpoint?: Readonly<Record<string, unknown>>;
}

/** One attempt in ten fails. */
export const TEN_PERCENT: TrafficOptions = { resources: 200, rounds: 20, failRate: 0.1 };

interface ReceivedEvent {
  readonly id: string;
  readonly resource_id: string;
  /** Time of Kafka's acknowledgement of the event. */
  readonly occurred_at: string;
  readonly data: { readonly number: number };
}

/** Many short retries: a delivery is dead only after minutes of failures. */
const DELAYS_S = [0.3, 0.5, ...Array.from({ length: 40 }, () => 1)];
const BATCH = 100;
let nextPort = 0;

/**
 * Publishes numbered events of many resources to one endpoint. Records the order of first acceptances per resource, and
 * repeats.
 */
export class OrderedTraffic {
  readonly accepted = new Map<string, number>();
  endpointId = '';
  /** Numbers of the events in the order of first acceptance, by resource. */
  private readonly orders = new Map<string, number[]>();
  requests = 0;
  /** Number of requests for events that were accepted before. */
  repeats = 0;
  published = 0;
  /** The longest time from Kafka's acknowledgement of an event to its first acceptance, ms. */
  slowestMs = 0;
  /** Stops after the present round. */
  isStopped = false;
  private nextRound = 0;
  /** Answers 503 to every request while true. */
  isDown = false;
  private inFlight = 0;
  private readonly name = `order${++nextPort}`;

  private constructor(
    private readonly cluster: Pick<Cluster, 'call'>,
    private readonly options: TrafficOptions,
    private readonly receiver: HttpServer,
  ) {}

  static async start(cluster: Pick<Cluster, 'call'>, options: TrafficOptions): Promise<OrderedTraffic> {
    const receiver = createServer();
    const traffic = new OrderedTraffic(cluster, options, receiver);
    receiver.on('request', (request, response) => traffic.receive(request, response));
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    await traffic.register((receiver.address() as AddressInfo).port).catch((error: unknown) => {
      traffic.close();
      throw error;
    });
    return traffic;
  }

  private async register(port: number): Promise<void> {
    const { options } = this;
    const { id } = await this.cluster.call<{ id: string }>('control', '/v1/endpoints', {
      body: {
        url: `http://127.0.0.1:${port}/`,
        event_types: [`${this.name}.*`],
        ordering: options.ordering ?? 'resource',
        retry_policy: { delays_s: DELAYS_S },
        ...options.endpoint,
      },
    });
    this.endpointId = id;
    // The router reads a new endpoint within 500 ms. Earlier events would not match it.
    await delay(600);
  }

  /**
   * Publishes all rounds; a second call publishes further ones. A batch without an acknowledgement is sent again with
   * the same ids.
   */
  async publish(onRound: (round: number) => void | Promise<void> = () => undefined): Promise<void> {
    const { resources, rounds, roundMs = 0 } = this.options;
    const first = this.nextRound;
    this.nextRound += rounds;
    for (let round = first; round < first + rounds && !this.isStopped; round++) {
      const startedAt = Date.now();
      await onRound(round);
      for (let from = 0; from < resources; from += BATCH) await this.publishBatch(round, from);
      const restMs = startedAt + roundMs - Date.now();
      if (restMs > 0) await delay(restMs);
    }
  }

  /** Resolves when every published event was accepted. */
  async complete(timeoutMs = 120_000): Promise<void> {
    await until(`all events are accepted (${this.name})`, () => this.accepted.size >= this.published, timeoutMs).catch(
      (error: Error) => {
        throw new Error(`${error.message}: ${this.accepted.size} of ${this.published}, ${this.requests} requests`);
      },
    );
  }

  get eventType(): string {
    return `${this.name}.happened`;
  }

  /** Events first accepted after a later event of their resource. */
  get disorder(): number {
    let count = 0;
    for (const order of this.orders.values()) {
      let highest = -1;
      for (const number of order) {
        if (number < highest) count++;
        highest = Math.max(highest, number);
      }
    }
    return count;
  }

  /** Requests in flight at the endpoint. */
  get underWay(): number {
    return this.inFlight;
  }

  close(): void {
    this.receiver.closeAllConnections();
    this.receiver.close();
  }

  private async publishBatch(round: number, first: number): Promise<void> {
    const count = Math.min(BATCH, this.options.resources - first);
    const events = Array.from({ length: count }, (_, index) => ({
      id: `${this.name}-${first + index}-${round}`,
      type: this.eventType,
      resource_id: `${this.name}-${first + index}`,
      data: { number: round },
    }));
    for (const deadline = Date.now() + 60_000; ; ) {
      try {
        await this.cluster.call('ingest', '/v1/events/batch', { body: { events } });
        break;
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await delay(200);
      }
    }
    this.published += count;
  }

  private receive(request: IncomingMessage, response: ServerResponse): void {
    this.inFlight++;
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    response.on('close', () => this.inFlight--);
    request.on('end', async () => {
      this.requests++;
      if (this.options.answerMs) await delay(this.options.answerMs);
      const isFailing = this.isDown || Math.random() < (this.options.failRate ?? 0);
      if (isFailing) response.writeHead(this.isDown ? 503 : 500).end();
      else {
        this.note(JSON.parse(text) as ReceivedEvent);
        response.writeHead(204).end();
      }
    });
  }

  private note({ id, resource_id: resource, occurred_at, data }: ReceivedEvent): void {
    if (this.accepted.has(id)) {
      this.repeats++;
      return;
    }
    this.accepted.set(id, Date.now());
    this.slowestMs = Math.max(this.slowestMs, Date.now() - Date.parse(occurred_at));
    const order = this.orders.get(resource) ?? [];
    this.orders.set(resource, order);
    order.push(data.number);
  }
}
