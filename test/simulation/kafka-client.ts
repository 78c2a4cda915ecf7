import type { RecordMetadata } from 'kafkajs';
import type { ConsumerClient } from '#common/kafka/kafkajs/consumer/log-consumer.js';
import type { LogReader } from '#common/kafka/kafkajs/consumer/log-reader.js';
import type { ProducerClient, ProducerRequest } from '#common/kafka/kafkajs/producer/producer.js';
import type { OffsetsReader } from '#common/kafka/lag/offsets-reader.js';
import { logName } from './broker.js';
import type { Cluster } from './cluster.js';
import { SimulatedConsumer } from './kafka-consumer.js';

const MOST_READ_AGAIN = 50;

/** The part of kafkajs that the product uses, over a simulated cluster. */
export class KafkaClient implements ConsumerClient, ProducerClient {
  constructor(
    private readonly cluster: Cluster,
    private readonly clientId: string,
  ) {}

  producer(): ReturnType<ProducerClient['producer']> {
    return {
      connect: () => Promise.resolve(),
      disconnect: () => Promise.resolve(),
      sendBatch: (batch) => this.send(batch),
    };
  }

  /** In the simulation all topics exist, all partitions have leaders, and no transaction is open. */
  offsets({ groupId, topics }: { readonly groupId: string; readonly topics: readonly string[] }): OffsetsReader {
    const { broker, network } = this.cluster;
    const offsetsOf = (topic: string, partition: number) => {
      const name = logName(topic, partition);
      const end = broker.log(name).length;
      return { topic, partition, commit: broker.commitOf(groupId, name)?.offset ?? 0, stable: end, end };
    };
    const logs = () =>
      topics.flatMap((topic) =>
        Array.from({ length: this.cluster.partitionsOf(topic) }, (_, partition) => offsetsOf(topic, partition)),
      );
    return {
      read: () => network.ask('kafka', () => ({ logs: logs(), missing: [], leaderless: [] })),
      // An end of a process is one of the history's faults.
      lastEnd: () => Promise.resolve(undefined),
      noteEnd: () => Promise.resolve(),
      close: () => Promise.resolve(),
    };
  }

  reader(): LogReader {
    const { broker, network } = this.cluster;
    const read = (name: string, from: number) => {
      const records = broker.read(name, from, MOST_READ_AGAIN);
      const next = (records.at(-1)?.offset ?? from - 1) + 1;
      return { records: [...records], next, firstLeaderEpoch: undefined, leaderEpoch: undefined };
    };
    return {
      read: (topic, partition, from) => network.ask('kafka', () => read(logName(topic, partition), from)),
      close: () => Promise.resolve(),
    };
  }

  consumer(config: Parameters<ConsumerClient['consumer']>[0]): ReturnType<ConsumerClient['consumer']> {
    // The product listens to two events; the simulation emits one of them.
    return new SimulatedConsumer(this.cluster, this.clientId, config) as unknown as KafkajsConsumer;
  }

  /** Each partition's records are written separately: some partitions may fail. */
  private async send({ topicMessages }: ProducerRequest): Promise<RecordMetadata[]> {
    const { broker, network } = this.cluster;
    const batches = topicMessages.flatMap(({ topic, messages }) => messages.map((batch) => ({ topic, ...batch })));
    const answers = await Promise.allSettled(
      batches.map(({ topic, partition, records }) =>
        network.ask('kafka', () => {
          for (const { key, value, headers } of records) {
            broker.append(topic, partition, { key: bytes(key), value: bytes(value), headers: buffers(headers) });
          }
        }),
      ),
    );
    const failed = answers.find((answer) => answer.status === 'rejected');
    if (failed) throw failed.reason;
    return batches.map(({ topic, partition }) => ({ topicName: topic, partition, errorCode: 0 }));
  }
}

type KafkajsConsumer = ReturnType<ConsumerClient['consumer']>;

function bytes(content: Buffer | string | null | undefined): Buffer | null {
  return typeof content === 'string' ? Buffer.from(content) : (content ?? null);
}

function buffers(headers: Readonly<Record<string, Buffer | string>> = {}): Record<string, Buffer> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)]));
}
