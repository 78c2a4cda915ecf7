import { type CommittedLog, decodeLog } from '../../../domain/commit-metadata.js';
import { type Committed, type EvidenceFound, type LogNow, startOffset } from '../../../domain/start-offset.js';
import type { StartPosition } from '../../partition/start-position.js';
import type { TopicIdentity } from '../../port/topic-identity.js';
import type { KafkaGroup } from '../patches/group-hooks.js';
import { EARLIEST, LATEST, type LedPartition } from '../queries/partition-queries.js';

/** A partition to take over. */
export interface Wanted {
  readonly topic: string;
  readonly partition: number;
  /** The log this process read under the name before; a commit without a log of its own is one of that. */
  readonly former: TopicIdentity | undefined;
}

interface Led extends LedPartition, Wanted {
  readonly identity: TopicIdentity;
  readonly committed: Committed;
  readonly log: CommittedLog | undefined;
}

/** A broker that takes over may have a slower clock; records this much older than the evidence count as not clearly older. */
const CLOCK_MARGIN_MS = 60_000;

/**
 * Reads the group's commits with their metadata, and judges them by the logs there are: kafkajs itself would jump to the
 * start of a log without a word when its position is gone.
 *
 * @returns without partitions that are missing, have no leader, or whose leader does not answer
 */
export async function startPositions(group: KafkaGroup, wanted: readonly Wanted[]): Promise<StartPosition[]> {
  const led = await findLed(group, wanted);
  const { cluster } = group;
  const at = (timestamp: number) => cluster.offsetsAt(led.map((each) => ({ ...each, timestamp })));
  const [lows, highs, ends, found] = await Promise.all([
    at(EARLIEST),
    at(LATEST),
    cluster.epochEnds(led.flatMap((each) => withEpoch(each))),
    findEvidence(group, led),
  ]);
  return led.flatMap((each): StartPosition[] => {
    const { topic, partition, identity, committed } = each;
    const name = `${topic}/${partition}`;
    const low = lows.get(name);
    const high = highs.get(name);
    const isAnswered = withEpoch(each).length === 0 || ends.has(name);
    if (low === undefined || high === undefined || !isAnswered) return [];
    const now: LogNow = {
      topicId: identity.topicId,
      formerTopicId: each.former?.topicId,
      low,
      high,
      epochEnd: ends.get(name),
      // Retention may have removed it: then its absence proves nothing.
      evidence: (each.log?.evidence?.offset ?? 0) < low ? undefined : found.get(name),
    };
    return [{ ...startOffset(committed, now), topic, partition, identity, end: high, committed }];
  });
}

/** Those that exist and have a leader, with their commits. */
async function findLed(group: KafkaGroup, wanted: readonly Wanted[]): Promise<Led[]> {
  const byTopic = Map.groupBy(wanted, ({ topic }) => topic);
  const [states, { responses }] = await Promise.all([
    group.cluster.topicIdentities([...byTopic.keys()]),
    group.coordinator.offsetFetch({
      groupId: group.groupId,
      topics: [...byTopic].map(([topic, list]) => ({
        topic,
        partitions: list.map(({ partition }) => ({ partition })),
      })),
    }),
  ]);
  const commits = new Map(
    responses.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset, metadata }) => [
        `${topic}/${partition}`,
        { offset: Number(offset), metadata },
      ]),
    ),
  );
  return wanted.flatMap((each): Led[] => {
    const { topic, partition } = each;
    const state = states.get(topic);
    const leader = state?.leaders[partition] ?? -1;
    const committed = commits.get(`${topic}/${partition}`);
    if (state === undefined || leader < 0 || committed === undefined) return [];
    const log = decodeLog(committed.metadata);
    const identity = { topicId: state.topicId, partitions: state.partitions };
    return [{ ...each, leader, identity, committed, log }];
  });
}

/** An epoch means something only in its own log. */
function withEpoch({ topic, partition, leader, identity, log }: Led): (LedPartition & { leaderEpoch: number })[] {
  if (log?.leaderEpoch === undefined || log.topicId !== identity.topicId) return [];
  return [{ topic, partition, leader, leaderEpoch: log.leaderEpoch }];
}

/** For logs without ids: whether a record with the evidence's time still exists. */
async function findEvidence(group: KafkaGroup, led: readonly Led[]): Promise<Map<string, EvidenceFound>> {
  const asked = led.flatMap(({ topic, partition, leader, log }) =>
    log?.evidence ? [{ topic, partition, leader, evidence: log.evidence }] : [],
  );
  if (asked.length === 0) return new Map();
  const at = (shiftMs: number) =>
    group.cluster.offsetsAt(asked.map((each) => ({ ...each, timestamp: each.evidence.timestamp + shiftMs })));
  const [same, after, before] = await Promise.all([at(0), at(1), at(-CLOCK_MARGIN_MS)]);
  const found = new Map<string, EvidenceFound>();
  for (const { topic, partition } of asked) {
    const name = `${topic}/${partition}`;
    const resumeAt = before.get(name) ?? -1;
    const isFound = same.get(name) !== after.get(name);
    found.set(name, isFound ? { isFound } : { isFound, resumeAt: resumeAt < 0 ? Number.POSITIVE_INFINITY : resumeAt });
  }
  return found;
}
