import type { ProducerBatch, RecordMetadata } from 'kafkajs';
import type { ConsumerClient } from '#common/kafka/log-consumer.js';
import type { ProducerClient } from '#common/kafka/producer.js';
import { logName } from './broker.js';
import type { Cluster } from './cluster.js';
import { SimulatedConsumer } from './kafka-consumer.js';

/** The part of kafkajs the product uses, against a simulated cluster. */
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

  admin(): ReturnType<ConsumerClient['admin']> {
    const { broker, network } = this.cluster;
    return {
      connect: () => Promise.resolve(),
      disconnect: () => Promise.resolve(),
      fetchTopicOffsets: (topic) =>
        network.ask('kafka', () =>
          Array.from({ length: this.cluster.partitionsOf(topic) }, (_, partition) => {
            const high = String(broker.log(logName(topic, partition)).length);
            return { partition, offset: high, high, low: '0' };
          }),
        ),
    };
  }

  consumer(config: Parameters<ConsumerClient['consumer']>[0]): ReturnType<ConsumerClient['consumer']> {
    // It has the two events the product listens to, and emits one.
    return new SimulatedConsumer(this.cluster, this.clientId, config) as unknown as KafkajsConsumer;
  }

  /** Each partition's part is written by itself: some may be, and others not. */
  private async send({ topicMessages = [] }: ProducerBatch): Promise<RecordMetadata[]> {
    const { broker, network } = this.cluster;
    const messages = topicMessages.flatMap(({ topic, messages: ofTopic }) =>
      ofTopic.map((message) => ({ topic, ...message, partition: message.partition ?? 0 })),
    );
    const byLog = Map.groupBy(messages, ({ topic, partition }) => logName(topic, partition));
    const answers = await Promise.allSettled(
      [...byLog.values()].map((ofLog) =>
        network.ask('kafka', () => {
          for (const { topic, partition, key, value, headers } of ofLog) {
            broker.append(topic, partition, { key: bytes(key), value: bytes(value), headers: plain(headers) });
          }
        }),
      ),
    );
    const failed = answers.find((answer) => answer.status === 'rejected');
    if (failed) throw failed.reason;
    const written = messages.map(({ topic, partition }) => ({ topicName: topic, partition, errorCode: 0 }));
    return [...new Map(written.map((each) => [logName(each.topicName, each.partition), each])).values()];
  }
}

type KafkajsConsumer = ReturnType<ConsumerClient['consumer']>;

function bytes(content: Buffer | string | null | undefined): Buffer | null {
  return typeof content === 'string' ? Buffer.from(content) : (content ?? null);
}

function plain(headers: NonNullable<ProducerBatch['topicMessages']>[number]['messages'][number]['headers']) {
  const entries = Object.entries(headers ?? {}).flatMap(([name, value]) =>
    typeof value === 'string' || Buffer.isBuffer(value) ? [[name, Buffer.from(value)] as const] : [],
  );
  return Object.fromEntries(entries);
}
