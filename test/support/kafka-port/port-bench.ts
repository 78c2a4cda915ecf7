import { Kafka, logLevel } from 'kafkajs';
import type { KafkaClient } from '#common/kafka/port/kafka-client.js';
import type { LogConsumerOptions } from '#common/kafka/port/log-consumer.js';
import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import type { RecordProducer } from '#common/kafka/port/record-writer.js';
import type { KafkaSettings } from '#common/kafka/port/settings.js';
import type { InRecord } from '#common/records/record.js';
import { testBrokers } from '../servers.js';
import { RecordingConsumer } from './recording-consumer.js';

/** The consumer group of the suite. */
export const GROUP = { groupId: 'readers', topics: ['log'] };

export const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => String(from + index));

/**
 * The client under test, and tools around it. The tools speak to the broker by kafkajs, whichever client is tested. Every
 * created part is closed by `close`, last first.
 */
export class PortBench {
  readonly cleanups: (() => Promise<unknown>)[] = [];

  constructor(readonly connect: (settings: KafkaSettings) => KafkaClient) {}

  async close(): Promise<void> {
    for (const cleanup of this.cleanups.splice(0).reverse()) await cleanup();
  }

  prepared = async (settings: KafkaSettings): Promise<KafkaSettings> => {
    await this.connect(settings).ensureTopics();
    return settings;
  };

  producer = async (settings: KafkaSettings): Promise<RecordProducer> => {
    const created = this.connect(settings).producer();
    await created.connect();
    this.cleanups.push(() => created.close());
    return created;
  };

  publish = async (settings: KafkaSettings, values: readonly string[], key = 'k'): Promise<void> => {
    const writer = await this.producer(settings);
    await writer.write(values.map((value) => ({ topic: 'log', key, value })));
  };

  consumer = async (
    settings: KafkaSettings,
    options: Pick<LogConsumerOptions, 'groupId' | 'topics'>,
    onRecord?: (log: OwnedLog, record: InRecord) => void,
  ): Promise<RecordingConsumer> => {
    const created = new RecordingConsumer(settings, options, onRecord, this.connect);
    this.cleanups.push(() => created.stop());
    await created.start();
    return created;
  };

  admin = async () => {
    const created = new Kafka({ brokers: testBrokers(), logLevel: logLevel.NOTHING }).admin();
    this.cleanups.push(() => created.disconnect());
    await created.connect();
    return created;
  };

  committedOffsets = async (settings: KafkaSettings) => {
    const client = await this.admin();
    const [topic] = await client.fetchOffsets({
      groupId: `${settings.prefix}readers`,
      topics: [`${settings.prefix}log`],
    });
    return topic?.partitions ?? [];
  };
}
