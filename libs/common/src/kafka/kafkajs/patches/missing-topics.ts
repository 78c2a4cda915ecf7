import Cluster from 'kafkajs/src/cluster/index.js';
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import MetadataRequest, { type DescribedTopics } from 'kafkajs/src/protocol/requests/metadata/index.js';
import { delay } from '../../../timing/timing.js';
import { epochEnds, offsetsAt } from '../queries/partition-queries.js';
import { topicIdentities } from '../queries/topic-identities.js';

/** Error codes of a topic or a partition that is away for a time, not refused. */
const UNKNOWN_TOPIC = 3;
const LEADER_NOT_AVAILABLE = 5;
const LISTENER_NOT_FOUND = 72;
const AWAY: ReadonlySet<number> = new Set([UNKNOWN_TOPIC, LEADER_NOT_AVAILABLE, LISTENER_NOT_FOUND]);
const NO_LEADER = -1;

/** After these errors of a fetch other partitions go on when the client knows the leaders again. */
const STALE_METADATA: ReadonlySet<unknown> = new Set([
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'UNKNOWN_TOPIC_OR_PARTITION',
]);
/** After these the broker is away; others may answer. */
const BROKER_AWAY: ReadonlySet<string> = new Set(['KafkaJSConnectionError', 'KafkaJSBrokerNotFound']);
/** A broker may need this long to hear of a new leader. */
const STALE_PAUSE_MS = 100;

/** Adds the queries of {@link GroupCluster} that kafkajs lacks. */
export function addQueries(): void {
  Object.assign(Cluster.prototype, {
    topicIdentities(this: Cluster, topics: readonly string[]) {
      return topicIdentities(this, topics);
    },
    offsetsAt(this: Cluster, questions: Parameters<typeof offsetsAt>[1]) {
      return offsetsAt(this, questions);
    },
    epochEnds(this: Cluster, questions: Parameters<typeof epochEnds>[1]) {
      return epochEnds(this, questions);
    },
  });
}

/**
 * One missing topic, or one partition without a leader, fails the whole answer in kafkajs, so that a client learns nothing
 * of the other topics. Here a missing topic has no partitions and a leaderless partition has leader -1, which no broker is.
 */
export function patchMissingTopics(): void {
  const { protocol } = MetadataRequest;
  MetadataRequest.protocol = (of) => {
    const make = protocol(of);
    return (content) => {
      const { request, response } = make(content);
      const parse = (answer: DescribedTopics) => response.parse(withoutAbsences(answer));
      return { request, response: { ...response, parse } };
    };
  };
}

function withoutAbsences(answer: DescribedTopics): DescribedTopics {
  return {
    ...answer,
    topicMetadata: answer.topicMetadata.map((topic) => ({
      ...topic,
      topicErrorCode: AWAY.has(topic.topicErrorCode) ? 0 : topic.topicErrorCode,
      partitionMetadata: topic.partitionMetadata.map((partition) =>
        AWAY.has(partition.partitionErrorCode) ? { ...partition, partitionErrorCode: 0, leader: NO_LEADER } : partition,
      ),
    })),
  };
}

/**
 * kafkajs joins the group again after such an error, which stops all partitions of all members for a rebalance, and starts
 * the consumer again when one broker refuses connections. The group need not change for either.
 *
 * @returns whether the fetch was recovered
 */
export async function recoverFetch(group: ConsumerGroup, error: Error & { type?: unknown }): Promise<boolean> {
  if (STALE_METADATA.has(error.type)) {
    await group.cluster.refreshMetadata();
    await delay(STALE_PAUSE_MS);
    return true;
  }
  const { cluster } = group as { cluster: Partial<Cluster> };
  if (!BROKER_AWAY.has(error.name) || group.getNodeIds().length < 2 || !cluster.isConnected?.()) return false;
  await delay(STALE_PAUSE_MS);
  return true;
}

/**
 * kafkajs asks for the commits of all assigned partitions before the first fetch, and for the ends of those that have none:
 * one that has no leader then stops all. A consumer that seeks each partition needs neither.
 */
export function readOnlyWhereSought({ offsetManager }: ConsumerGroup): void {
  offsetManager.resolveOffsets = async () => undefined;
  const { seek } = offsetManager;
  offsetManager.seek = async (position) => {
    await seek.call(offsetManager, position);
    const { topic, partition, offset } = position;
    const sought = offsetManager.committedOffsets()[topic];
    if (sought) sought[partition] = offset;
  };
}
