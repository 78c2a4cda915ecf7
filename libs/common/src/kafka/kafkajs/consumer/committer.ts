import { Logger } from '@nestjs/common';
import type { OwnedPartition } from '../../partition/owned-partition.js';
import { commitFailures } from '../../port/metrics.js';
import type { Membership } from './membership.js';

/** Commits changes of owned partitions, one commit at a time. Kafka itself accepts commits of a former owner (measured). */
export class Committer {
  private readonly logger = new Logger(Committer.name);
  private underWay: Promise<void> | undefined;

  /**
   * @param groupId for the metric
   * @param membership nothing is committed unless it is synced with `owned`
   * @param owned by full topic name and partition; changes under our hands
   */
  constructor(
    private readonly groupId: string,
    private readonly membership: Membership,
    private readonly owned: ReadonlyMap<string, OwnedPartition>,
  ) {}

  /** Resolves when everything that was finished before the call has been committed, or failed to be. Never rejects. */
  async commit(): Promise<void> {
    await this.underWay;
    this.underWay ??= this.commitOnce().finally(() => {
      this.underWay = undefined;
    });
    await this.underWay;
  }

  private async commitOnce(): Promise<void> {
    const { group, standing } = this.membership;
    if (group === undefined || standing !== 'synced') return;
    const taken = [...this.owned].flatMap(([name, log]) => {
      const commit = log.takeCommit();
      return commit ? [{ topic: name.slice(0, name.lastIndexOf('/')), log, commit }] : [];
    });
    if (taken.length === 0) return;
    const topics = [...Map.groupBy(taken, ({ topic }) => topic)].map(([topic, list]) => ({
      topic,
      partitions: list.map(({ log, commit }) => ({ partition: log.partition, ...commit })),
    }));
    try {
      await this.membership.watchRefusals(group, group.commitOffsets({ topics }));
    } catch (error) {
      for (const { log } of taken) log.commitFailed();
      commitFailures.inc({ group: this.groupId });
      this.logger.debug({ err: error }, 'commit.failed');
    }
  }
}
