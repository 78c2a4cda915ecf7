import { atMost, delay, monotonicMs } from '../../../timing/timing.js';
import type { OwnedPartition } from '../../partition/owned-partition.js';
import type { FetchPaceOptions } from '../../port/log-consumer.js';
import type { KafkaGroup } from '../patches/group-hooks.js';

const MAX_WAIT_MS = 500;
const MAX_PACES = 5;
/** A fetch that leaves paused partitions out must not keep them waiting when they go on. */
const PAUSED_MAX_WAIT_MS = 20;

/**
 * Decides when a consumer fetches. When all partitions are paused, kafkajs sleeps for a whole fetch's wait, and a resumed
 * partition does not wake it: that halved the throughput of a consumer under occasional backpressure (measured).
 */
export class FetchPace {
  private lastFetchAt = monotonicMs();
  private resumed = Promise.withResolvers<void>();

  constructor(private readonly options: FetchPaceOptions) {}

  /** Resolves when the next fetch is due. */
  async before(group: KafkaGroup, owned: ReadonlyMap<string, OwnedPartition>): Promise<void> {
    const { maxWaitMs = MAX_WAIT_MS } = this.options;
    const waitMs = this.lastFetchAt + this.paceMs(owned) - monotonicMs();
    if (waitMs > 0) await delay(waitMs);
    this.resumed = Promise.withResolvers();
    const logs = [...owned.values()];
    if (logs.length > 0 && logs.every(({ paused }) => paused)) await atMost(maxWaitMs, this.resumed.promise);
    group.maxWaitTime = logs.some(({ paused }) => paused) ? PAUSED_MAX_WAIT_MS : maxWaitMs;
  }

  after(): void {
    this.lastFetchAt = monotonicMs();
  }

  /** A partition goes on. */
  resume(): void {
    this.resumed.resolve();
  }

  private paceMs(owned: ReadonlyMap<string, OwnedPartition>): number {
    const { paceMs = 0, recordsPerPace = Number.POSITIVE_INFINITY } = this.options;
    let unfinished = 0;
    for (const log of owned.values()) unfinished += log.unfinished;
    return paceMs * Math.min(Math.max(unfinished / recordsPerPace, 1), MAX_PACES);
  }
}
