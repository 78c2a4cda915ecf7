import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { KafkaJSProtocolError, Partitioners } from 'kafkajs';
import sendMessages from 'kafkajs/src/producer/sendMessages.js';
import createRetry from 'kafkajs/src/retry/index.js';
import type { KafkaSettings } from '../../port/settings.js';
import type { PartitionBatch } from '../wire/produce-request.js';
import { KafkajsProducer, type ProducerClient } from './producer.js';

const PARTITIONS = 2;

/** What kafkajs's producer stands on: two brokers, each the leader of the partition of its number, until the first fails. */
class TwoBrokers {
  /** By partition: what was stored. */
  readonly stored: (string | null)[][] = [[], []];
  private leaders = [0, 1];
  private readonly brokers = [0, 1].map((nodeId) => ({
    nodeId,
    produce: ({ topicData }: { topicData: readonly ProducedTopic[] }) => this.produce(nodeId, topicData),
  }));

  /** Broker 0 is stopped in order: it refuses, and broker 1 leads both. */
  private async produce(nodeId: number, topicData: readonly ProducedTopic[]) {
    if (nodeId === 0) {
      // The other one has answered by then.
      await new Promise((resolve) => setTimeout(resolve, 20));
      this.leaders = [1, 1];
      throw new KafkaJSProtocolError(
        Object.assign(new Error('not the leader'), { type: 'NOT_LEADER_FOR_PARTITION', code: 6, retriable: true }),
      );
    }
    return {
      topics: topicData.map(({ topic, partitions }) => ({
        topicName: topic,
        partitions: partitions.map(({ partition, messages }) => {
          const records = messages.flatMap((batch) => batch.records);
          this.stored[partition]?.push(...records.map(({ value }) => value?.toString() ?? null));
          return { partition, errorCode: 0, baseOffset: '0' };
        }),
      })),
    };
  }

  readonly cluster = {
    targetTopics: new Set<string>(),
    isConnected: () => true,
    addMultipleTargetTopics: async () => undefined,
    refreshMetadata: async () => undefined,
    refreshMetadataIfNecessary: async () => undefined,
    findTopicPartitionMetadata: () => this.leaders.map((leader, partitionId) => ({ partitionId, leader })),
    findLeaderForPartitions: (_topic: string, partitions: readonly string[]) =>
      Object.groupBy(partitions.map(Number), (partition) => this.leaders[partition] ?? 0),
    findBroker: async ({ nodeId }: { nodeId: string }) => this.brokers[Number(nodeId)],
  };
}

interface ProducedTopic {
  readonly topic: string;
  readonly partitions: readonly { partition: number; messages: readonly PartitionBatch[] }[];
}

/** kafkajs's own way of sending, on simulated brokers. */
function clientOf({ cluster }: TwoBrokers): ProducerClient {
  const logger = { debug: () => undefined, error: () => undefined };
  const eosManager = {
    ...{ isTransactional: () => false, getSequence: () => 0, updateSequence: () => undefined },
    ...{ acquireBrokerLock: async () => undefined, releaseBrokerLock: async () => undefined },
    ...{ getProducerId: () => -1, getProducerEpoch: () => 0 },
  };
  const retrier = createRetry({ initialRetryTime: 1, retries: 2 });
  const partitioner = Partitioners.DefaultPartitioner();
  const send = sendMessages({ logger, cluster, partitioner, eosManager, retrier });
  return {
    producer: () => ({
      connect: async () => undefined,
      disconnect: async () => undefined,
      sendBatch: send,
    }),
  };
}

const settings = {
  prefix: '',
  topics: [{ topic: 'log', partitions: PARTITIONS, config: { 'max.message.bytes': '1000000' } }],
} as unknown as KafkaSettings;

describe('a producer', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it('given a broker that hands its partition to one that has answered, then what was for it is stored there', async () => {
    const brokers = new TwoBrokers();
    const producer = new KafkajsProducer(settings, clientOf(brokers));
    const values = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

    await producer.write(values.map((value) => ({ topic: 'log', key: value, value })));

    expect(brokers.stored.map((partition) => partition.length > 0)).toEqual([true, true]);
    expect(brokers.stored.flat().toSorted()).toEqual(values);
  });

  it.each([
    { given: 'a request of many records', records: 16, requests: 2 },
    { given: 'a request of a few', records: 15, requests: 4 },
  ])('given $given, then $requests requests carry what is written, one after the other, at once', async (scene) => {
    // The clock stands still while records are written: the pace must not depend on the speed of the machine.
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    const sent: number[] = [];
    const producer = new KafkajsProducer(settings, counting(sent));
    const write = (count: number) =>
      producer.write(Array.from({ length: count }, (_, index) => ({ topic: 'log', key: `k${index}`, value: 'v' })));

    await write(scene.records);
    const later = [];
    for (let turn = 0; turn < 3; turn++) {
      later.push(write(1));
      await new Promise(setImmediate);
      await new Promise(setImmediate);
    }
    await jest.advanceTimersByTimeAsync(1_000);
    await Promise.all(later);

    expect(sent).toHaveLength(scene.requests);
    expect(sent.reduce((sum, count) => sum + count)).toBe(scene.records + 3);
  });
});

/** Stores everything at once. @param sent records of each request */
function counting(sent: number[]): ProducerClient {
  return {
    producer: () => ({
      connect: async () => undefined,
      disconnect: async () => undefined,
      sendBatch: async ({ topicMessages }) => {
        const batches = topicMessages.flatMap(({ messages }) => messages);
        sent.push(batches.flatMap(({ records }) => records).length);
        return batches.map(({ partition = 0 }) => ({ topicName: 'log', partition, errorCode: 0 }));
      },
    }),
  };
}

describe('a producer with a partition that cannot be written', () => {
  const topics = ['log', 'gone'].map((topic) => ({
    topic,
    partitions: 4,
    config: { 'max.message.bytes': '1000' },
  }));
  const two = { prefix: '', topics } as unknown as KafkaSettings;

  it('given a topic that is missing, then writes to others go on, and its own are stored in order when it is back', async () => {
    const cluster = new FailingCluster('gone');
    const producer = new KafkajsProducer(two, cluster.client);
    const waiting = ['a', 'b', 'c'].map((value) => producer.write([{ topic: 'gone', key: 'k', value }]));
    await producer.write([{ topic: 'log', key: 'k', value: 'first' }]);
    const later = producer.write([{ topic: 'gone', key: 'k', value: 'd' }]);
    const startedAt = performance.now();
    for (let index = 0; index < 20; index++) await producer.write([{ topic: 'log', key: 'k', value: `${index}` }]);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(cluster.stored('gone')).toEqual([]);
    expect(producer.pendingBytes).toBeGreaterThan(0);

    cluster.missing.clear();
    await Promise.all([...waiting, later]);
    expect(cluster.stored('gone')).toEqual(['a', 'b', 'c', 'd']);
    expect(cluster.stored('log')).toEqual(['first', ...Array.from({ length: 20 }, (_, index) => `${index}`)]);
    expect(producer.pendingBytes).toBe(0);
  });

  it('given a write to both, then it is acknowledged when both are stored', async () => {
    const cluster = new FailingCluster('gone');
    const producer = new KafkajsProducer(two, cluster.client);
    let isDone = false;
    const both = producer
      .write([
        { topic: 'gone', key: 'k', value: 'g' },
        { topic: 'log', key: 'k', value: 'l' },
      ])
      .then(() => {
        isDone = true;
      });
    await producer.write([{ topic: 'log', key: 'k', value: 'after' }]);
    expect(cluster.stored('log')).toEqual(['l', 'after']);
    expect(isDone).toBe(false);

    cluster.missing.clear();
    await both;
    expect(cluster.stored('gone')).toEqual(['g']);
  });

  it('given a write that is not stored in time, then it is dropped, and the partition is free again', async () => {
    const cluster = new FailingCluster('gone');
    const producer = new KafkajsProducer(two, cluster.client);
    const late = producer.write([{ topic: 'gone', key: 'k', value: 'late' }], { timeoutMs: 20 });
    await expect(late).rejects.toThrow('not acknowledged in time');
    await producer.close();
    expect(producer.pendingBytes).toBe(0);
    expect(cluster.stored('gone')).toEqual([]);
  });

  it('given any writes and failures, then each partition holds them in order, once a failure is repeated', async () => {
    const cluster = new FailingCluster();
    const producer = new KafkajsProducer(two, cluster.client);
    const writes: Promise<void>[] = [];
    for (let index = 0; index < 200; index++) {
      if (index === 40) cluster.missing.add('log/1').add('gone/2');
      if (index === 90) cluster.missing.clear();
      if (index === 120) cluster.missing.add('log').add('gone');
      if (index === 150) cluster.missing.clear();
      const value = String(index).padStart(3, '0');
      writes.push(
        producer.write([
          { topic: 'log', key: `k${index % 9}`, value },
          { topic: 'gone', key: `k${index % 7}`, value },
        ]),
      );
      if (index % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 3));
    }
    await Promise.all(writes);
    for (const [name, values] of cluster.logs) {
      expect([name, values]).toEqual([name, values.toSorted()]);
    }
    expect([...cluster.logs.values()].flat()).toHaveLength(400);
  });
});

/** Stores whole requests, unless a topic or partition in it is missing: then nothing of it is stored. */
class FailingCluster {
  /** By topic and partition. */
  readonly logs = new Map<string, string[]>();
  /** Topics and partitions. */
  readonly missing: Set<string>;

  constructor(...missing: string[]) {
    this.missing = new Set(missing);
  }

  stored(topic: string): string[] {
    return [...this.logs].filter(([name]) => name.startsWith(`${topic}/`)).flatMap(([, values]) => values);
  }

  readonly client: ProducerClient = {
    producer: () => ({
      connect: async () => undefined,
      disconnect: async () => undefined,
      sendBatch: async ({ topicMessages }) => {
        const batches = topicMessages.flatMap(({ topic, messages }) => messages.map((batch) => ({ topic, batch })));
        await new Promise(setImmediate);
        for (const { topic, batch } of batches) {
          if (this.missing.has(topic) || this.missing.has(`${topic}/${batch.partition}`)) throw new Error('missing');
        }
        for (const { topic, batch } of batches) {
          const name = `${topic}/${batch.partition}`;
          const values = batch.records.map(({ value }) => String(value));
          this.logs.set(name, [...(this.logs.get(name) ?? []), ...values]);
        }
        return batches.map(({ topic, batch }) => ({ topicName: topic, partition: batch.partition, errorCode: 0 }));
      },
    }),
  };
}
