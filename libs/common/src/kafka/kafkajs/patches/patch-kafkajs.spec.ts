import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import BrokerPool from 'kafkajs/src/cluster/brokerPool.js';
import Produce from 'kafkajs/src/protocol/requests/produce/index.js';
import type { KafkaSettings } from '../../port/settings.js';
import { createKafka } from '../connection/client.js';
import { PartitionBatch } from '../wire/produce-request.js';
import { patchKafkajs } from './patch-kafkajs.js';

describe('a broker that accepts a connection and says nothing yet', () => {
  let server: Server;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    server = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  it('given a request while another one connects, then it waits for the connection, too', async () => {
    const { port } = server.address() as AddressInfo;
    const settings = { brokers: [`127.0.0.1:${port}`], clientId: 'test' } as unknown as KafkaSettings;
    const admin = createKafka(settings).admin({ retry: { retries: 0 } });
    const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
    const connected = admin.connect().catch((error: Error) => error);
    const socket = await accepted;
    await new Promise((resolve) => socket.once('data', resolve));

    const asked = admin.fetchTopicMetadata().catch((error: Error) => error);
    setImmediate(() => socket.destroy());
    server.close();

    const errors = await Promise.all([connected, asked]);
    for (const error of errors) expect(String(error)).not.toContain('Broker not connected');
  });
});

describe('what brokers know of topics', () => {
  const about = (topics: readonly string[]) => ({ brokers: [], topicMetadata: topics.map((topic) => ({ topic })) });
  /** A pool whose brokers answer on command, in the order of the requests. */
  function slowPool() {
    patchKafkajs();
    const pool = new BrokerPool({ logger: { namespace: () => ({}) } });
    const answers: (() => void)[] = [];
    pool.seedBroker = { connectionPool: {}, disconnect: async () => undefined };
    pool.findConnectedBroker = async () => ({
      metadata: (topics) => new Promise((resolve) => answers.push(() => resolve(about(topics)))),
    });
    return { pool, answers };
  }

  it('given an answer that was asked for before a topic was needed, when it comes last, then the topic is still known', async () => {
    const { pool, answers } = slowPool();
    const older = pool.refreshMetadata(['a']);
    const newer = pool.refreshMetadata(['a', 'b']);
    await new Promise(setImmediate);
    answers[1]?.();
    await newer;
    answers[0]?.();
    await older;

    expect(pool.metadata?.topicMetadata.map(({ topic }) => topic)).toEqual(['a', 'b']);
  });

  it('given it is disconnected, then nothing is known', () => {
    const { pool } = slowPool();
    pool.metadata = about(['a']);
    pool.metadata = null;
    expect(pool.metadata).toBeNull();
  });
});

describe('a batch to produce', () => {
  const content = (batch: PartitionBatch) => ({
    acks: -1,
    timeout: 1_000,
    topicData: [{ topic: 'deliveries', partitions: [{ partition: 0, messages: [batch] }] }],
  });

  it.each([
    { version: 3, given: 'a broker that takes batches', result: 'its records are written' },
    { version: 2, given: 'one too old for that', result: 'it is refused, and not written as an empty message' },
  ])('given $given, then $result', async ({ version }) => {
    patchKafkajs();
    const batch = new PartitionBatch(0);
    batch.records.push({ key: 'lane', value: 'a delivery' });
    const encoding = (async () => Produce.protocol({ version })(content(batch)).request.encode())();
    if (version === 3) expect((await encoding).buffer.toString('latin1')).toContain('a delivery');
    else await expect(encoding).rejects.toThrow('only encodeProduce');
  });
});
