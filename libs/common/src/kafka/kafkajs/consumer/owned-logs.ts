import { Logger } from '@nestjs/common';
import { decodeLog, isOwnCommit } from '../../../domain/commit-metadata.js';
import type { ReadExtent } from '../../../domain/start-offset.js';
import { OwnedPartition, type PartitionConsumer } from '../../partition/owned-partition.js';
import type { StartPosition } from '../../partition/start-position.js';
import { foreignCommits, lostRecords, replacedLogs, truncatedLogs, unfinishedRecords } from '../../port/metrics.js';
import type { OwnershipListener } from '../../port/owned-log.js';
import { type KafkaSettings, partitionsOf } from '../../port/settings.js';
import type { TopicIdentity } from '../../port/topic-identity.js';
import type { KafkaGroup } from '../patches/group-hooks.js';
import { startPositions } from './committed-offsets.js';

/**
 * The partitions one member of a group owns, by full topic name and partition. They are taken over where their commits
 * end, and given up when the group, or this member's doubt, says so; the listener hears of both. A partition that is
 * missing or has no leader is taken over when it can be read again.
 */
export class OwnedLogs extends Map<string, OwnedPartition> {
  private readonly logger = new Logger(OwnedLogs.name);
  /** By the keys of this map: the log that was last read under the name. */
  private readonly former = new Map<string, TopicIdentity>();
  private taking: Promise<void> | undefined;

  constructor(
    private readonly settings: KafkaSettings,
    private readonly consumer: PartitionConsumer,
    private readonly listener: OwnershipListener | undefined,
  ) {
    super();
  }

  /**
   * After a join: gives up lost partitions, finds the first positions of new ones, and continues retained ones.
   *
   * @param isStopping asked again when the positions are known: then nothing more is taken over or fetched
   */
  async sync(group: KafkaGroup, isStopping: () => boolean): Promise<void> {
    await this.taking?.catch(() => undefined);
    const names = new Set(assignedOf(group).map(({ topic, partition }) => `${topic}/${partition}`));
    for (const [name, log] of this) if (!names.has(name)) this.lose(name, log);
    await this.takeOver(group, isStopping);
    for (const [name, log] of this) continueAt(group, name, log, isStopping());
  }

  /** Takes over assigned partitions that can be read now. One such attempt is in flight at a time. */
  async takeOver(group: KafkaGroup, isStopping: () => boolean): Promise<void> {
    this.taking ??= this.takeOverOnce(group, isStopping).finally(() => {
      this.taking = undefined;
    });
    await this.taking;
  }

  /** Whether something is assigned that is not owned. */
  isIncomplete(group: KafkaGroup | undefined): boolean {
    return (
      group?.assigned().some(({ topic, partitions }) => partitions.some((each) => !this.has(`${topic}/${each}`))) ??
      false
    );
  }

  /**
   * The position is outside the log. If retention overtook it, the lost records are counted, and the rest is read. If the log
   * lost its tail or is another one, it is given up, and taken over at its right position.
   */
  async skipLost(group: KafkaGroup, topic: string, partition: number): Promise<void> {
    const log = this.get(`${topic}/${partition}`);
    if (log === undefined) return;
    const [position] = await startPositions(group, [{ topic, partition, former: log.identity }]);
    if (position === undefined) return;
    if (position.change !== undefined || position.end < log.position || position.offset < log.position) {
      this.giveUp(log);
      return;
    }
    this.reportLoss({ ...position, lostRecords: position.offset - log.position });
    this.listener?.onRecordsLost?.(log);
    log.skipTo(position.offset);
    group.seek({ topic, partition, offset: String(position.offset) });
  }

  /** Another log has this name now: work in flight is void, and the partition is taken over again. */
  giveUp(log: OwnedPartition): void {
    this.logger.warn({ topic: log.topic, partition: log.partition, position: log.position }, 'log.given_up');
    // Until it is taken over again the client would go on fetching at the old position.
    this.consumer.setPaused(log, true);
    this.lose(`${this.settings.prefix}${log.topic}/${log.partition}`, log);
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

  private async takeOverOnce(group: KafkaGroup, isStopping: () => boolean): Promise<void> {
    const { memberId, generationId } = group;
    const isOver = () => isStopping() || group.memberId !== memberId || group.generationId !== generationId;
    const added = assignedOf(group).filter(({ topic, partition }) => !this.has(`${topic}/${partition}`));
    if (added.length === 0 || isOver()) return;
    const wanted = added.map((each) => ({ ...each, former: this.former.get(`${each.topic}/${each.partition}`) }));
    for (const position of await startPositions(group, wanted)) {
      if (isOver()) return;
      const { name, log } = await this.own(group, position);
      continueAt(group, name, log, isStopping());
    }
  }

  private async own(group: KafkaGroup, position: StartPosition): Promise<{ name: string; log: OwnedPartition }> {
    const { topic } = position;
    const name = `${topic}/${position.partition}`;
    this.reportForeignCommit(position);
    this.reportChange(position);
    this.reportLoss(position);
    const ownName = topic.slice(this.settings.prefix.length);
    const partitions = partitionsOf(this.settings, ownName);
    const askExtent = () => presentExtent(group, position);
    const log = new OwnedPartition(ownName, partitions, position, this.consumer, askExtent);
    await this.listener?.onOwned?.(log);
    log.opened();
    if (position.lostRecords > 0) this.listener?.onRecordsLost?.(log);
    this.set(name, log);
    this.former.set(name, position.identity);
    return { name, log };
  }

  private lose(name: string, log: OwnedPartition): void {
    this.delete(name);
    log.lose();
    unfinishedRecords.remove({ topic: log.topic, partition: log.partition });
    this.listener?.onLost?.(log);
  }

  /** Each commit of Posthorn names its log. An operator's reset of the group and another program's commit do not. */
  private reportForeignCommit({ topic, partition, committed, offset }: StartPosition): void {
    if (committed.offset < 0 || isOwnCommit(committed.metadata)) return;
    foreignCommits.inc({ topic });
    this.logger.error({ topic, partition, committed: committed.offset, next_offset: offset }, 'commit.foreign');
  }

  private reportChange({ topic, partition, change, committed, identity, offset, end }: StartPosition): void {
    if (change === undefined) return;
    const where = { topic, partition, committed: committed.offset, next_offset: offset, end };
    if (change === 'truncated') {
      truncatedLogs.inc({ topic });
      this.logger.error({ ...where, topic_id: identity.topicId }, 'log.truncated');
      return;
    }
    replacedLogs.inc({ topic });
    const former = decodeLog(committed.metadata)?.topicId ?? this.former.get(`${topic}/${partition}`)?.topicId;
    this.logger.error({ ...where, was: former ?? 'unknown', is: identity.topicId ?? 'unknown' }, 'log.replaced');
  }

  private reportLoss({ topic, partition, offset, lostRecords: count }: StartPosition): void {
    if (count === 0) return;
    lostRecords.inc({ topic }, count);
    this.logger.error({ topic, partition, lost_records: count, next_offset: offset }, 'log.records_lost_to_retention');
  }
}

/** @throws Error when the leader does not answer */
async function presentExtent(group: KafkaGroup, { topic, partition, identity }: StartPosition): Promise<ReadExtent> {
  const [position] = await startPositions(group, [{ topic, partition, former: identity }]);
  if (position === undefined) throw new Error(`the leader of ${topic}/${partition} does not answer`);
  return position.extent;
}

function assignedOf(group: KafkaGroup): { topic: string; partition: number }[] {
  return group.assigned().flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })));
}

function continueAt(group: KafkaGroup, name: string, log: OwnedPartition, isStopping: boolean): void {
  const topic = name.slice(0, name.lastIndexOf('/'));
  group.seek({ topic, partition: log.partition, offset: String(log.position) });
  group[log.paused || isStopping ? 'pause' : 'resume']([{ topic, partitions: [log.partition] }]);
}
