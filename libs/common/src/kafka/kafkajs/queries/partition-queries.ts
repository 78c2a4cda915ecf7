import { Logger } from '@nestjs/common';
import { FlexibleReader } from '../wire/flexible-reader.js';
import { askBroker, type RequestBroker, type RequestCluster } from './raw-request.js';

/** One partition, by its full topic name, and the node that leads it. */
export interface LedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly leader: number;
}

export interface OffsetQuestion extends LedPartition {
  /** ms, or {@link EARLIEST} or {@link LATEST}. */
  readonly timestamp: number;
}

export interface EpochQuestion extends LedPartition {
  readonly leaderEpoch: number;
}

/** Timestamps of ListOffsets that mean the first record, and the end of the log. */
export const EARLIEST = -2;
export const LATEST = -1;

const EPOCH_KEY = 23;
const EPOCH_VERSION = 3;
const NO_EPOCH = -1;
/** Not a replica. */
const CONSUMER = -1;
const READ_UNCOMMITTED = 0;

const logger = new Logger('partitionQueries');

/**
 * Asks the leaders for the first offset at or after a time.
 *
 * @returns by `topic/partition`; -1 when the log has no such record. Partitions whose leader did not answer are missing.
 */
export function offsetsAt(cluster: RequestCluster, questions: readonly OffsetQuestion[]): Promise<Map<string, number>> {
  return perLeader(cluster, questions, async (broker, asked) => {
    const topics = byTopic(asked, ({ partition, timestamp }) => ({ partition, timestamp: String(timestamp) }));
    const { responses } = await broker.listOffsets({ isolationLevel: READ_UNCOMMITTED, topics });
    return responses.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset }): [string, number] => [`${topic}/${partition}`, Number(offset)]),
    );
  });
}

/**
 * Asks a leader whether the log still holds the records that were read in a leader epoch. An epoch that ends before the
 * position has lost its tail, although the log may have grown past the position again.
 *
 * @param cluster with the query below
 * @param position end of the records that were read
 * @returns undefined when the leader does not answer
 */
export async function reaches(
  cluster: { epochEnds(questions: readonly EpochQuestion[]): Promise<Map<string, number | undefined>> },
  question: EpochQuestion,
  position: number,
): Promise<boolean | undefined> {
  const ends = await cluster.epochEnds([question]);
  const name = `${question.topic}/${question.partition}`;
  return ends.has(name) ? (ends.get(name) ?? position) >= position : undefined;
}

/**
 * Asks the leaders where an epoch ends: the offset of the first record of a later epoch, or the end of the log.
 *
 * @returns by `topic/partition`; undefined when the leader does not know the epoch. Partitions whose leader did not answer
 * are missing.
 */
export function epochEnds(
  cluster: RequestCluster,
  questions: readonly EpochQuestion[],
): Promise<Map<string, number | undefined>> {
  return perLeader(cluster, questions, async (broker, asked) => {
    if ((broker.versions?.[EPOCH_KEY]?.maxVersion ?? 0) < EPOCH_VERSION) {
      return asked.map((each): [string, undefined] => [nameOf(each), undefined]);
    }
    return askBroker(broker, {
      apiKey: EPOCH_KEY,
      apiVersion: EPOCH_VERSION,
      apiName: 'OffsetForLeaderEpoch',
      body: encodeEpochRequest(asked),
      decode: decodeEpochResponse,
    });
  });
}

/** The body of an OffsetForLeaderEpoch request, version 3. */
export function encodeEpochRequest(questions: readonly EpochQuestion[]): Buffer {
  const topics = byTopic(questions, ({ partition, leaderEpoch }) => int32(partition, NO_EPOCH, leaderEpoch));
  const parts = topics.map(({ topic, partitions }) => {
    const name = Buffer.from(topic);
    const length = Buffer.alloc(2);
    length.writeInt16BE(name.length);
    return Buffer.concat([length, name, int32(partitions.length), ...partitions]);
  });
  return Buffer.concat([int32(CONSUMER, parts.length), ...parts]);
}

/** By `topic/partition`, without the partitions that the broker does not lead. */
export function decodeEpochResponse(bytes: Buffer): [string, number | undefined][] {
  const reader = new FlexibleReader(bytes);
  const throttleMs = 4;
  reader.skip(throttleMs);
  const topics = reader.array(() => {
    const topic = reader.string();
    return reader.array(() => {
      const errorCode = reader.int16();
      const partition = reader.int32();
      const epoch = reader.int32();
      const end = reader.int64();
      return { errorCode, name: `${topic}/${partition}`, end: epoch === NO_EPOCH ? undefined : end };
    });
  });
  return topics
    .flat()
    .flatMap(({ errorCode, name, end }) => (errorCode === 0 ? [[name, end] as [string, typeof end]] : []));
}

/** One request to each leader. One that fails takes only its own partitions along. */
async function perLeader<Question extends LedPartition, Answer>(
  cluster: RequestCluster,
  questions: readonly Question[],
  ask: (broker: RequestBroker, questions: readonly Question[]) => Promise<[string, Answer][]>,
): Promise<Map<string, Answer>> {
  const answers = [...Map.groupBy(questions, ({ leader }) => leader)].map(async ([nodeId, asked]) => {
    try {
      return await ask(await cluster.findBroker({ nodeId }), asked);
    } catch (error) {
      logger.debug({ err: error, broker: nodeId }, 'kafka.leader_silent');
      return [];
    }
  });
  return new Map((await Promise.all(answers)).flat());
}

function byTopic<Question extends LedPartition, Part>(questions: readonly Question[], part: (of: Question) => Part) {
  const groups = Map.groupBy(questions, ({ topic }) => topic);
  return [...groups].map(([topic, list]) => ({ topic, partitions: list.map(part) }));
}

function nameOf({ topic, partition }: LedPartition): string {
  return `${topic}/${partition}`;
}

function int32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeInt32BE(value, 4 * index);
  return bytes;
}
