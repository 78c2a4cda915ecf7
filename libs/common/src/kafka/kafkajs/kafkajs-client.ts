import type { CompactedTableOptions } from '../port/compacted-table.js';
import type { KafkaClient } from '../port/kafka-client.js';
import type { LogConsumerOptions } from '../port/log-consumer.js';
import type { KafkaSettings } from '../port/settings.js';
import type { IsFinished, LogBoundsReader, LogRange, TakeRecords, TopicLog } from '../port/topics.js';
import { KafkajsConsumer } from './consumer/log-consumer.js';
import { KafkajsProducer } from './producer/producer.js';
import { KafkajsTable } from './table/compacted-table.js';
import { readLogRange } from './table/log-range.js';
import { finishedOffsets } from './topics/finished-offsets.js';
import { hasMembers } from './topics/group-members.js';
import { withLogBounds } from './topics/log-bounds.js';
import { ensureTopics } from './topics/topic-admin.js';
import { KafkajsTopicKeeper } from './topics/topic-keeper.js';
import { topicLogs } from './topics/topic-logs.js';

/** The port over kafkajs. README.md says which fault of kafkajs each file answers. */
export class KafkajsClient implements KafkaClient {
  constructor(readonly settings: KafkaSettings) {}

  producer(): KafkajsProducer {
    return new KafkajsProducer(this.settings);
  }

  consumer(options: LogConsumerOptions): KafkajsConsumer {
    return new KafkajsConsumer(this.settings, options);
  }

  table(options: CompactedTableOptions): KafkajsTable {
    return new KafkajsTable(this.settings, options);
  }

  topicKeeper(): KafkajsTopicKeeper {
    return new KafkajsTopicKeeper(this.settings);
  }

  ensureTopics(): Promise<void> {
    return ensureTopics(this.settings);
  }

  topicLogs(topics: readonly string[]): Promise<Map<string, TopicLog>> {
    return topicLogs(this.settings, topics);
  }

  withLogBounds<T>(work: (bounds: LogBoundsReader) => Promise<T>): Promise<T> {
    return withLogBounds(this.settings, work);
  }

  readRange(range: LogRange, take: TakeRecords): Promise<void> {
    return readLogRange(this.settings, range, take);
  }

  hasMembers(groupId: string): Promise<boolean> {
    return hasMembers(this.settings, groupId);
  }

  finishedOffsets(groupId: string, topic: string): Promise<Map<number, IsFinished>> {
    return finishedOffsets(this.settings, groupId, topic);
  }
}
