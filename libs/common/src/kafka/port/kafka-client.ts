import type { CompactedTable, CompactedTableOptions } from './compacted-table.js';
import type { LogConsumer, LogConsumerOptions } from './log-consumer.js';
import type { RecordProducer } from './record-writer.js';
import type { KafkaSettings } from './settings.js';
import type { IsFinished, LogBoundsReader, LogRange, TakeRecords, TopicKeeper, TopicLog } from './topics.js';

/** DI token of {@link KafkaClient}. */
export const KAFKA_CLIENT = Symbol('KafkaClient');

/** All use of Kafka by an app. Its parts connect when they are started. */
export interface KafkaClient {
  readonly settings: KafkaSettings;
  producer(): RecordProducer;
  consumer(options: LogConsumerOptions): LogConsumer;
  table(options: CompactedTableOptions): CompactedTable;
  topicKeeper(): TopicKeeper;

  /**
   * Creates the topics that are missing and checks the others, waiting for a broker as long as it takes.
   *
   * @throws TopicMismatchError naming every difference
   */
  ensureTopics(): Promise<void>;

  /**
   * Asks a broker which logs topics have.
   *
   * @param topics without prefix
   * @returns by topic, without prefix
   * @throws when no broker answers, or a topic does not exist
   */
  topicLogs(topics: readonly string[]): Promise<Map<string, TopicLog>>;

  /** Connects for the time of `work`. @throws when no broker answers */
  withLogBounds<T>(work: (bounds: LogBoundsReader) => Promise<T>): Promise<T>;

  /** Reads a range of a topic once. It commits nothing. @throws the errors of `take`; Error when the client gives up */
  readRange(range: LogRange, take: TakeRecords): Promise<void>;

  /** Whether a consumer group has members now. @param groupId without prefix */
  hasMembers(groupId: string): Promise<boolean>;

  /**
   * Reads a group's commits, with the finished offsets above the watermark. `groupId` and `topic` are without prefix.
   *
   * @returns by partition; a partition without a commit is missing: none of its records is finished
   */
  finishedOffsets(groupId: string, topic: string): Promise<Map<number, IsFinished>>;
}
