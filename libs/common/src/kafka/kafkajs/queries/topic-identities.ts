import errors from 'kafkajs/src/protocol/error.js';
import type { TopicIdentity } from '../../port/topic-identity.js';
import {
  decodeMetadataResponse,
  encodeMetadataRequest,
  FIRST_METADATA_WITH_IDS,
  LAST_METADATA_WITH_IDS,
  type TopicDescription,
} from '../wire/metadata-request.js';
import { askBroker, type RequestBroker, type RequestCluster } from './raw-request.js';

/** A topic as it is now. */
export interface TopicState extends TopicIdentity {
  /** Node id of each partition's leader, by partition; -1 without one. */
  readonly leaders: readonly number[];
}

const METADATA_KEY = 3;
const UNKNOWN_TOPIC = 3;
/** Answered for a topic while one of its partitions has no leader, as just after its creation. */
const LEADER_NOT_AVAILABLE = 5;

/**
 * Asks a broker which logs these topics are, in one request. kafkajs speaks Metadata up to version 6; ids come with 10.
 *
 * @param topics full names
 * @returns by full name; without those that do not exist
 * @throws KafkaJSProtocolError when the broker refuses to say
 */
export async function topicIdentities(
  cluster: RequestCluster,
  topics: readonly string[],
): Promise<Map<string, TopicState>> {
  const broker = await cluster.brokerPool.findConnectedBroker();
  const found = new Map<string, TopicState>();
  for (const { errorCode, name, topicId, leaders } of await describe(broker, topics)) {
    if (errorCode === UNKNOWN_TOPIC) continue;
    if (errorCode !== 0 && errorCode !== LEADER_NOT_AVAILABLE) throw errors.createErrorFromCode(errorCode);
    if (leaders.length > 0) found.set(name, { topicId, partitions: leaders.length, leaders });
  }
  return found;
}

/** The same topic, perhaps with partitions that were added. Without ids only the number of partitions shows a difference. */
export function isSameTopic(one: TopicIdentity, other: TopicIdentity): boolean {
  return one.topicId === other.topicId && (one.topicId !== undefined || one.partitions === other.partitions);
}

async function describe(broker: RequestBroker, topics: readonly string[]): Promise<TopicDescription[]> {
  const spoken = broker.versions?.[METADATA_KEY]?.maxVersion ?? 0;
  if (spoken < FIRST_METADATA_WITH_IDS) return describeWithoutIds(broker, topics);
  const version = Math.min(spoken, LAST_METADATA_WITH_IDS);
  return askBroker(broker, {
    apiKey: METADATA_KEY,
    apiVersion: version,
    apiName: 'Metadata',
    body: encodeMetadataRequest(version, topics),
    decode: decodeMetadataResponse,
  });
}

/** By kafkajs's own request. */
async function describeWithoutIds(broker: RequestBroker, topics: readonly string[]): Promise<TopicDescription[]> {
  const { topicMetadata } = await broker.metadata(topics);
  return topicMetadata.map(({ topic, topicErrorCode, partitionMetadata }) => {
    const leaders: number[] = [];
    for (const { partitionId, leader } of partitionMetadata) leaders[partitionId] = leader;
    return { errorCode: topicErrorCode, name: topic, topicId: undefined, leaders };
  });
}
