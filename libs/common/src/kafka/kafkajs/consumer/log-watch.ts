import { Logger } from '@nestjs/common';
import type { OwnedPartition } from '../../partition/owned-partition.js';
import type { KafkaGroup } from '../patches/group-hooks.js';
import { reaches } from '../queries/partition-queries.js';
import { isSameTopic, type TopicState } from '../queries/topic-identities.js';
import type { Committer } from './committer.js';
import { LeadersRefresh } from './leaders-refresh.js';
import type { Membership } from './membership.js';
import type { OwnedLogs } from './owned-logs.js';

/** How late a missing, replaced or returned log is noticed. */
export const WATCH_INTERVAL_MS = 3_000;

/** The parts of a consumer that a watch needs. */
export interface WatchedConsumer {
  readonly owned: OwnedLogs;
  readonly committer: Committer;
  readonly membership: Membership;
}

/**
 * Checks whether the logs are still the same: one request for all topics of a consumer every few seconds, and one to a
 * leader when its records have another epoch.
 */
export class LogWatch {
  private readonly logger = new Logger(LogWatch.name);
  private readonly missing = new Set<string>();
  /** By topic: the number of partitions in the latest check. */
  private readonly counts = new Map<string, number>();
  private readonly leaders = new LeadersRefresh();
  private isChecking = false;

  private readonly topics: readonly string[];

  /**
   * @param prefix of the topic names
   * @param topics without prefix
   */
  constructor(
    private readonly prefix: string,
    topics: readonly string[],
    private readonly consumer: WatchedConsumer,
    private readonly isStopping: () => boolean,
  ) {
    this.topics = topics.map((topic) => prefix + topic);
  }

  /**
   * Gives up the logs that are missing or replaced, and takes over the partitions that can be read again. One check is under
   * way at a time. Never rejects.
   */
  async check(): Promise<void> {
    const { group, standing } = this.consumer.membership;
    if (this.isChecking || group === undefined || standing !== 'synced') return;
    this.isChecking = true;
    try {
      await this.checkTopics(group);
    } catch (error) {
      this.logger.debug({ err: error }, 'logs.not_checked');
    } finally {
      this.isChecking = false;
    }
    await this.takeOver();
  }

  /** Takes over partitions that are assigned and could not be read before. Never rejects. */
  async takeOver(): Promise<void> {
    const { membership, owned } = this.consumer;
    const { group } = membership;
    if (group === undefined || membership.standing !== 'synced' || this.isStopping()) return;
    try {
      await owned.takeOver(group, this.isStopping);
    } catch (error) {
      this.logger.warn({ err: error }, 'logs.not_taken_over');
    }
  }

  /**
   * A fetch may bring records of another leader epoch. In the log that was read so far the former epoch ends where they
   * begin; if it ends before, the log lost its tail and has grown again past the position.
   *
   * @returns whether the fetch continues the log that was read; false as well while the leader does not answer
   */
  async isContinued(log: OwnedPartition, leaderEpoch: number | undefined): Promise<boolean> {
    const { group } = this.consumer.membership;
    if (leaderEpoch === undefined || log.leaderEpoch === undefined || leaderEpoch === log.leaderEpoch) return true;
    if (group === undefined) return false;
    try {
      const found = await this.compare(group, log, log.leaderEpoch);
      if (found === 'changed') {
        await this.consumer.committer.commit();
        this.consumer.owned.giveUp(log);
        await this.takeOver();
      }
      return found === 'continued' && !log.lost.aborted;
    } catch (error) {
      this.logger.debug({ err: error }, 'log.not_checked');
      return false;
    }
  }

  /** The position is outside the log. The commit comes first, so that only work in flight is repeated. */
  async skipLost(group: KafkaGroup, topic: string, partition: number): Promise<void> {
    await this.consumer.committer.commit();
    await this.consumer.owned.skipLost(group, topic, partition);
    await this.takeOver();
  }

  private async compare(
    group: KafkaGroup,
    { topic: ownName, partition, position, identity }: OwnedPartition,
    leaderEpoch: number,
  ): Promise<'continued' | 'changed' | 'unknown'> {
    const topic = this.prefix + ownName;
    const state = (await group.cluster.topicIdentities([topic])).get(topic);
    const leader = state?.leaders[partition] ?? -1;
    if (state === undefined || leader < 0) return 'unknown';
    if (!isSameTopic(state, identity)) return 'changed';
    const isReached = await reaches(group.cluster, { topic, partition, leader, leaderEpoch }, position);
    if (isReached === undefined) return 'unknown';
    return isReached ? 'continued' : 'changed';
  }

  /** A topic must be missing in two checks: a broker that has just started may not know all topics yet. */
  private async checkTopics(group: KafkaGroup): Promise<void> {
    const states = await group.cluster.topicIdentities(this.topics);
    const missingBefore = new Set(this.missing);
    this.reportMissing(states);
    await this.joinForNewPartitions(group, states);
    for (const log of [...this.consumer.owned.values()]) {
      const topic = this.prefix + log.topic;
      const state = states.get(topic);
      const isGone = state === undefined ? missingBefore.has(topic) : !isSameTopic(state, log.identity);
      if (isGone) this.consumer.owned.giveUp(log);
    }
    await this.leaders.noteCheck(group.cluster, states);
  }

  /** A group assigns the partitions that its leader knew at the latest join. */
  private async joinForNewPartitions(group: KafkaGroup, states: ReadonlyMap<string, TopicState>): Promise<void> {
    const grown = [...states].filter(([topic, { partitions }]) => partitions > (this.counts.get(topic) ?? partitions));
    for (const [topic, { partitions }] of states) this.counts.set(topic, partitions);
    if (grown.length === 0) return;
    this.logger.warn({ topics: grown.map(([topic]) => topic) }, 'group.joins_for_new_partitions');
    await group.cluster.refreshMetadata();
    this.consumer.membership.doubt();
  }

  private reportMissing(states: ReadonlyMap<string, TopicState>): void {
    for (const topic of this.topics) {
      if (states.has(topic)) {
        if (this.missing.delete(topic)) this.logger.log({ topic }, 'topic.back');
      } else if (!this.missing.has(topic)) {
        this.missing.add(topic);
        this.logger.error({ topic }, 'topic.missing');
      }
    }
  }
}
