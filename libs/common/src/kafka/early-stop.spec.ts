import { createServer, type Server } from 'node:net';
import { topicSpecs } from '../records/topics.js';
import { kafkaClient } from './connect.js';
import type { KafkaSettings } from './port/settings.js';
import { KafkaTransport } from './transport.js';

/** A broker that counts who comes, and says nothing. */
class Broker {
  connections = 0;
  private readonly server: Server = createServer((socket) => {
    this.connections++;
    socket.destroy();
  });

  async start(): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    const address = this.server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async stop(): Promise<void> {
    await new Promise((resolve) => this.server.close(resolve));
  }
}

describe('a process that is told to stop while it starts', () => {
  let broker: Broker;
  let ready: PromiseWithResolvers<void>;
  let settings: KafkaSettings;

  beforeEach(async () => {
    broker = new Broker();
    ready = Promise.withResolvers();
    settings = {
      brokers: [`127.0.0.1:${await broker.start()}`],
      prefix: '',
      clientId: 'early',
      sessionTimeoutMs: 6_000,
      topics: topicSpecs({ logPartitions: 1, sidePartitions: 1, maxEventBytes: 10_000 }),
      replicationFactor: 1,
      topicsReady: ready.promise,
      onFatal: (error) => {
        throw error;
      },
    };
  });
  afterEach(() => broker.stop());

  /** Everything that waits for the topics goes on. */
  const becomeReady = async () => {
    ready.resolve();
    await new Promise((resolve) => setTimeout(resolve, 50));
  };

  it('given a transport that is closed before it listens, then it consumes nothing', async () => {
    const transport = new KafkaTransport(kafkaClient(settings), { groupId: 'early' });
    await transport.close();
    await new Promise<void>((resolve, reject) => {
      transport.listen((error) => (error ? reject(error) : resolve()));
    });
    await becomeReady();

    expect(transport.problem()).toBe('not started');
    expect(broker.connections).toBe(0);
  });

  it('given a transport that waits for its topics, then it does not connect', async () => {
    const transport = new KafkaTransport(kafkaClient(settings), { groupId: 'early' });
    const listening = new Promise((resolve) => transport.listen(resolve));
    await transport.close();
    await becomeReady();

    expect(await listening).toBeUndefined();
    expect(broker.connections).toBe(0);
  });

  it('given a table that waits for its topics, then it does not connect', async () => {
    const table = kafkaClient(settings).table({ topic: 'endpoints', apply: () => undefined });
    void table.start();
    await table.stop();
    await becomeReady();

    expect(broker.connections).toBe(0);
    expect(table.isCaughtUp).toBe(false);
  });
});
