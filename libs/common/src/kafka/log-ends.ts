import { Logger } from '@nestjs/common';
import type { Admin } from 'kafkajs';
import type { OwnedPartition } from './owned-partition.js';

const logger = new Logger('refreshEnds');

/**
 * Asks where the logs of paused partitions end. They are not fetched, so nobody tells: their lag would stand still just
 * when it grows.
 *
 * @param prefix of the topic names
 */
export async function refreshEnds(
  admin: Pick<Admin, 'fetchTopicOffsets'>,
  prefix: string,
  logs: Iterable<OwnedPartition>,
): Promise<void> {
  const paused = [...logs].filter((log) => log.paused);
  try {
    for (const [topic, list] of Map.groupBy(paused, (log) => log.topic)) {
      const ends = await admin.fetchTopicOffsets(prefix + topic);
      for (const log of list) {
        const end = ends.find(({ partition }) => partition === log.partition);
        log.end = Math.max(log.end, Number(end?.high ?? 0));
      }
    }
  } catch (error) {
    logger.debug({ err: error }, 'kafka.ends_unknown');
  }
}
