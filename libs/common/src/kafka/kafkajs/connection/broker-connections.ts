import type Cluster from 'kafkajs/src/cluster/index.js';
import type { KafkaSettings } from '../../port/settings.js';
import { clusterOf, createKafka } from './client.js';

/** kafkajs's broker, as far as this folder sends requests through it. */
export type Connection = Cluster['brokerPool']['seedBroker'];

/** kafkajs's definition of a request, in the versions it speaks. */
export interface RequestDefinition {
  readonly versions: readonly string[];
  protocol(of: { version: number }): (content: object) => RequestProtocol;
}

export interface RequestProtocol {
  readonly request: object;
  readonly response: { decode(bytes: Buffer): Promise<unknown>; parse(answer: unknown): Promise<unknown> };
}

interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Connections for requests that kafkajs's clients lack. They share nothing with a consumer, so they work while it hangs.
 * kafkajs's own metadata fails as a whole for one topic without a leader; the callers ask for metadata themselves.
 */
export class BrokerConnections {
  private readonly cluster: Cluster;
  private readonly brokers = new Map<string, Connection>();

  constructor(settings: KafkaSettings) {
    this.cluster = clusterOf(createKafka(settings));
  }

  /** A broker that is connected, else the next one of the configured ones that can be reached. */
  async any(): Promise<Connection> {
    const connected = [...this.brokers.values()].find((broker) => broker.isConnected());
    if (connected) return connected;
    await this.cluster.connect();
    const { seedBroker } = this.cluster.brokerPool;
    const { host, port } = seedBroker.connectionPool;
    this.brokers.set(`${host}:${port}`, seedBroker);
    return seedBroker;
  }

  async at({ host, port }: BrokerAddress): Promise<Connection> {
    const name = `${host}:${port}`;
    const broker = this.brokers.get(name) ?? (await this.create({ host, port }));
    this.brokers.set(name, broker);
    if (!broker.isConnected()) await broker.connect();
    return broker;
  }

  async close(): Promise<void> {
    await Promise.all([...this.brokers.values()].map((broker) => broker.disconnect()));
    await this.cluster.disconnect();
  }

  private async create({ host, port }: BrokerAddress): Promise<Connection> {
    const { cluster } = this;
    const connectionPool = await cluster.connectionPoolBuilder.build({ host, port, rack: '' });
    return cluster.brokerPool.createBroker({ connectionPool, logger: cluster.rootLogger });
  }
}

/**
 * Sends a request in the highest version both sides speak.
 *
 * @returns the answer as decoded: kafkajs would reject the whole of it for one partition's error
 */
export async function ask<Answer>(
  broker: Connection,
  apiKey: number,
  definition: RequestDefinition,
  content: object,
): Promise<Answer> {
  const { request, response } = broker.lookupRequest(apiKey, definition)(content);
  try {
    const parse = (answer: unknown) => Promise.resolve(answer);
    return (await broker.connectionPool.send({ request, response: { decode: response.decode, parse } })) as Answer;
  } catch (error) {
    if (error instanceof Error && error.name === 'KafkaJSConnectionClosedError') await broker.disconnect();
    throw error;
  }
}
