import { Logger } from '@nestjs/common';
import type { Admin } from 'kafkajs';
import { type StartPosition, startPositions } from './committed-offsets.js';
import type { KafkaGroup } from './kafkajs-group.js';
import { lostRecords, unfinishedRecords } from './metrics.js';
import { OwnedPartition, type PartitionConsumer } from './owned-partition.js';
import type { OwnershipListener } from './port.js';
import { type KafkaSettings, partitionsOf } from './settings.js';

/** What looking at logs takes of a Kafka client. */
type LogAdmin = Pick<Admin, 'fetchTopicOffsets'>;

/**
 * The partitions one member of a group owns, by full topic name and partition. They are taken over where their commits
 * end, and given up when the group, or this member's doubt, says so; whoever works on them is told of both.
 */
export class OwnedLogs extends Map<string, OwnedPartition> {
  private readonly logger = new Logger(OwnedLogs.name);

  constructor(
    private readonly settings: KafkaSettings,
    private readonly admin: LogAdmin,
    private readonly consumer: PartitionConsumer,
    private readonly listener: OwnershipListener | undefined,
  ) {
    super();
  }

  /**
   * After a join: loses what went away, reads where new partitions begin, goes on where retained ones stood.
   *
   * @param isStopping whether nothing more is to be taken over or fetched, by the time the positions are known
   */
  async sync(group: KafkaGroup, isStopping: () => boolean): Promise<void> {
    const assigned = group
      .assigned()
      .flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })));
    const names = new Set(assigned.map(({ topic, partition }) => `${topic}/${partition}`));
    for (const [name, log] of this) if (!names.has(name)) this.lose(name, log);
    const added = assigned.filter(({ topic, partition }) => !this.has(`${topic}/${partition}`));
    if (added.length > 0 && !isStopping()) {
      for (const position of await startPositions(group, this.admin, added)) {
        if (!isStopping()) await this.own(position);
      }
    }
    for (const [name, log] of this) continueAt(group, name, log, isStopping());
  }

  /** Retention overtook a log that is read. What is left is read; what is gone is counted and told. */
  async skipLost(group: KafkaGroup, topic: string, partition: number): Promise<void> {
    const [position] = await startPositions(group, this.admin, [{ topic, partition }]);
    const log = this.get(`${topic}/${partition}`);
    if (position === undefined || log === undefined) return;
    if (position.isTruncated || position.offset < log.position) {
      this.settings.onFatal(
        new Error(`${topic}/${partition} ends before ${log.position}: it was truncated or made anew`),
      );
      return;
    }
    this.tellLoss({ ...position, lostRecords: position.offset - log.position });
    this.listener?.onRecordsLost?.(log);
    log.position = position.offset;
    group.seek({ topic, partition, offset: String(position.offset) });
  }

  loseAll(): void {
    for (const [name, log] of this) this.lose(name, log);
  }

  /** As the metrics have it. */
  show(): void {
    for (const log of this.values()) {
      unfinishedRecords.set({ topic: log.topic, partition: log.partition }, log.unfinished);
    }
  }

  private async own(position: StartPosition): Promise<void> {
    const { topic, partition, offset, finishedAbove } = position;
    this.tellLoss(position);
    const name = topic.slice(this.settings.prefix.length);
    const log = new OwnedPartition(
      name,
      partition,
      partitionsOf(this.settings, name),
      { offset, finishedAbove },
      this.consumer,
    );
    await this.listener?.onOwned?.(log);
    if (position.lostRecords > 0) this.listener?.onRecordsLost?.(log);
    this.set(`${topic}/${partition}`, log);
  }

  private lose(name: string, log: OwnedPartition): void {
    this.delete(name);
    log.lose();
    unfinishedRecords.remove({ topic: log.topic, partition: log.partition });
    this.listener?.onLost?.(log);
  }

  private tellLoss({ topic, partition, offset, lostRecords: count, isTruncated }: StartPosition): void {
    if (isTruncated) this.logger.error({ topic, partition, offset }, 'log.truncated');
    if (count === 0) return;
    lostRecords.inc({ topic }, count);
    this.logger.error({ topic, partition, lost_records: count, next_offset: offset }, 'log.records_lost_to_retention');
  }
}

function continueAt(group: KafkaGroup, name: string, log: OwnedPartition, isStopping: boolean): void {
  const topic = name.slice(0, name.lastIndexOf('/'));
  group.seek({ topic, partition: log.partition, offset: String(log.position) });
  group[log.paused || isStopping ? 'pause' : 'resume']([{ topic, partitions: [log.partition] }]);
}
