import type { ConsumerConfig } from 'kafkajs';
import { LagWatch, type PartitionState } from '../../lag/lag-watch.js';
import type { OffsetsReader } from '../../lag/offsets-reader.js';
import type { OwnedPartition } from '../../partition/owned-partition.js';
import type { OwnedLog } from '../../port/owned-log.js';
import type { KafkaSettings } from '../../port/settings.js';
import { createKafka } from '../connection/client.js';
import { GroupOffsets } from './group-offsets.js';
import { KafkajsLogReader } from './log-reader.js';
import type { Membership } from './membership.js';

interface MeasuredGroup {
  /** Without prefix. */
  readonly groupId: string;
  /** Without prefix. */
  readonly topics: readonly string[];
}

/** kafkajs, and beside it the measurement of lag and the reader of deferred records. */
export function consumerClient(settings: KafkaSettings) {
  const kafka = createKafka(settings);
  return {
    consumer: (config: ConsumerConfig) => kafka.consumer(config),
    offsets: (group: MeasuredGroup) => new GroupOffsets(settings, group),
    reader: () => new KafkajsLogReader(settings),
  };
}

/**
 * @param parts `owned` is by full topic name and partition
 * @returns the watch of a member's lag; undefined when its client cannot measure
 */
export function consumerLag(
  settings: KafkaSettings,
  { groupId, topics, waitsFor }: MeasuredGroup & { readonly waitsFor?: (log: OwnedLog) => string | undefined },
  parts: {
    readonly client: { offsets?(group: MeasuredGroup): OffsetsReader };
    readonly owned: ReadonlyMap<string, OwnedPartition>;
    readonly membership: Membership;
  },
): LagWatch | undefined {
  const stateOf = (topic: string, partition: number): PartitionState | undefined => {
    const log = parts.owned.get(`${settings.prefix}${topic}/${partition}`);
    if (log === undefined) return undefined;
    const { position, unfinished, paused: isPaused } = log;
    const outage = parts.membership.standing === 'synced' ? undefined : 'a rebalance';
    return { position, unfinished, isPaused, outage, hold: waitsFor?.(log) };
  };
  const reader = parts.client.offsets?.({ groupId, topics });
  return reader && new LagWatch(settings, reader, { topics, isTable: false, stateOf });
}
