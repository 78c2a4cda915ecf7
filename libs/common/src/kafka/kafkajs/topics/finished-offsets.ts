import { decodeFinished } from '../../../domain/finished-runs.js';
import type { KafkaSettings } from '../../port/settings.js';
import type { IsFinished } from '../../port/topics.js';
import { createKafka } from '../connection/client.js';

/**
 * Reads a group's commits, with the finished offsets above the watermark.
 *
 * @param groupId without prefix
 * @param topic without prefix
 * @returns by partition; a partition without a commit is missing: none of its records is finished
 */
export async function finishedOffsets(
  settings: KafkaSettings,
  groupId: string,
  topic: string,
): Promise<Map<number, IsFinished>> {
  const admin = createKafka(settings).admin({ retry: { retries: 5 } });
  await admin.connect();
  try {
    const topics = await admin.fetchOffsets({ groupId: settings.prefix + groupId, topics: [settings.prefix + topic] });
    const commits = topics.flatMap(({ partitions }) => partitions).filter(({ offset }) => Number(offset) >= 0);
    return new Map(
      commits.map(({ partition, offset, metadata }) => {
        const committed = Number(offset);
        const above = new Set(decodeFinished(committed, metadata));
        return [partition, (asked: number) => asked < committed || above.has(asked)];
      }),
    );
  } finally {
    await admin.disconnect();
  }
}
