import type { Admin } from 'kafkajs';
import { decodeFinished } from '../domain/watermark.js';
import type { KafkaGroup } from './kafkajs-group.js';

/** Where the reading of a partition begins, and what is known about it. */
export interface StartPosition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly finishedAbove: readonly number[];
  readonly end: number;
  /** Records that are in the log no more and were never finished; retention took them. Never silent. */
  readonly lostRecords: number;
  /** The commit is beyond the log's end: the topic was made anew, or lost its tail. */
  readonly isTruncated: boolean;
}

/**
 * Reads the group's commits with their metadata, and holds them against what the logs still have: kafkajs itself would
 * jump to the start of a log without a word when its position is gone.
 */
export async function startPositions(
  group: KafkaGroup,
  admin: Pick<Admin, 'fetchTopicOffsets'>,
  partitions: readonly { topic: string; partition: number }[],
): Promise<StartPosition[]> {
  const byTopic = Map.groupBy(partitions, ({ topic }) => topic);
  const { responses } = await group.coordinator.offsetFetch({
    groupId: group.groupId,
    topics: [...byTopic].map(([topic, list]) => ({ topic, partitions: list.map(({ partition }) => ({ partition })) })),
  });
  const bounds = new Map(
    await Promise.all([...byTopic.keys()].map(async (topic) => [topic, await admin.fetchTopicOffsets(topic)] as const)),
  );
  return responses.flatMap(({ topic, partitions: committed }) =>
    committed.map(({ partition, offset, metadata }) => {
      const bound = bounds.get(topic)?.find((candidate) => candidate.partition === partition);
      return startPosition(
        topic,
        partition,
        { offset: Number(offset), metadata },
        {
          low: Number(bound?.low ?? 0),
          high: Number(bound?.high ?? 0),
        },
      );
    }),
  );
}

function startPosition(
  topic: string,
  partition: number,
  committed: { offset: number; metadata: string | null },
  log: { low: number; high: number },
): StartPosition {
  const fresh = { topic, partition, finishedAbove: [], end: log.high };
  if (committed.offset < 0) return { ...fresh, offset: log.low, lostRecords: 0, isTruncated: false };
  if (committed.offset > log.high) return { ...fresh, offset: log.low, lostRecords: 0, isTruncated: true };
  const finishedAbove = decodeFinished(committed.offset, committed.metadata);
  if (committed.offset >= log.low) {
    return { ...fresh, offset: committed.offset, finishedAbove, lostRecords: 0, isTruncated: false };
  }
  const lostRecords = log.low - committed.offset - finishedAbove.filter((offset) => offset < log.low).length;
  const stillThere = finishedAbove.filter((offset) => offset >= log.low);
  return { ...fresh, offset: log.low, finishedAbove: stillThere, lostRecords, isTruncated: false };
}
