import { LagWatch, type PartitionState } from '../../lag/lag-watch.js';
import type { KafkaSettings } from '../../port/settings.js';
import { GroupOffsets } from '../consumer/group-offsets.js';

/**
 * Watches the lag of a compacted table. A table has no commits: its lag is measured from its position.
 *
 * @param topic without prefix
 * @param positionOf the next offset to read, by partition
 */
export function tableLag(settings: KafkaSettings, topic: string, positionOf: (partition: number) => number): LagWatch {
  const group = { groupId: `table-${topic}`, topics: [topic], isTable: true };
  const stateOf = (_topic: string, partition: number): PartitionState => ({
    position: positionOf(partition),
    unfinished: 0,
    isPaused: false,
  });
  return new LagWatch(settings, new GroupOffsets(settings, group), { ...group, stateOf });
}
