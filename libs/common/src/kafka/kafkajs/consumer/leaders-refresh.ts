import type { TopicState } from '../queries/topic-identities.js';

interface RefreshingCluster {
  refreshMetadata(): Promise<void>;
}

/**
 * Makes kafkajs ask for leaders when they have changed. kafkajs itself asks after minutes, or after a failed fetch, and a
 * partition without a leader has no fetch. The refresh happens at two checks: a broker that has just started may give an
 * older answer at the first.
 */
export class LeadersRefresh {
  private seen = '';
  private isSettled = true;

  /** @param states the result of a check */
  async noteCheck(cluster: RefreshingCluster, states: ReadonlyMap<string, TopicState>): Promise<void> {
    const found = JSON.stringify([...states]);
    const isChanged = found !== this.seen;
    if (!isChanged && this.isSettled) return;
    await cluster.refreshMetadata();
    this.seen = found;
    this.isSettled = !isChanged;
  }
}
