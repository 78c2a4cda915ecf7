import { randomUUID } from 'node:crypto';
import { kafkaClient } from '#common/kafka/connect.js';
import type { KafkaClient } from '#common/kafka/port/kafka-client.js';
import type { LogConsumer, LogConsumerOptions } from '#common/kafka/port/log-consumer.js';
import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import type { KafkaSettings } from '#common/kafka/port/settings.js';
import type { InRecord } from '#common/records/record.js';
import type { TopicSpec } from '#common/records/topics.js';
import { freshTopicPrefix, testBrokers } from '../servers.js';

const NAMELESS = 'test';

/** Settings for a few topics of one test. */
export function testSettings(topics: readonly TopicSpec[], overrides: Partial<KafkaSettings> = {}): KafkaSettings {
  return {
    brokers: testBrokers(),
    prefix: freshTopicPrefix(),
    clientId: NAMELESS,
    sessionTimeoutMs: 10_000,
    topics,
    replicationFactor: 1,
    topicsReady: Promise.resolve(),
    onFatal: (error) => {
      throw error;
    },
    ...overrides,
  };
}

export function logTopic(topic: string, partitions = 1): TopicSpec {
  return { topic, partitions, config: { 'cleanup.policy': 'delete', 'max.message.bytes': '1048576' } };
}

/** A consumer that keeps its records, and finishes each at once, or when the test calls `finish`. */
export class RecordingConsumer {
  readonly records: InRecord[] = [];
  readonly owned: OwnedLog[] = [];
  readonly lost: OwnedLog[] = [];
  rebalancings = 0;
  private readonly consumer: LogConsumer;

  constructor(
    settings: KafkaSettings,
    options: Pick<LogConsumerOptions, 'groupId' | 'topics'> & Partial<LogConsumerOptions>,
    private readonly onRecord: (log: OwnedLog, record: InRecord) => void = (log, { offset }) => log.finish(offset),
    connect: (settings: KafkaSettings) => KafkaClient = kafkaClient,
  ) {
    // Two consumers of the same name would count as successive lives of one process.
    const clientId = settings.clientId === NAMELESS ? `test-${randomUUID()}` : settings.clientId;
    this.consumer = connect({ ...settings, clientId }).consumer({
      maxWaitMs: 100,
      onBatch: ({ log, records }) => {
        for (const record of records) {
          this.records.push(record);
          this.onRecord(log, record);
        }
      },
      ownership: {
        onOwned: (log) => void this.owned.push(log),
        onLost: (log) => void this.lost.push(log),
        onRebalancing: async () => void this.rebalancings++,
      },
      ...options,
    });
  }

  start(): Promise<void> {
    return this.consumer.start();
  }

  stop(): Promise<void> {
    return this.consumer.stop();
  }

  values(): string[] {
    return this.records.map(({ value }) => String(value));
  }
}
