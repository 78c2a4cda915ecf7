import { FlexibleReader } from './flexible-reader.js';

/** Metadata names topic ids from this version on. */
export const FIRST_METADATA_WITH_IDS = 10;
export const LAST_METADATA_WITH_IDS = 12;
/** The one version with ids that still asks for the rights on the cluster. */
const LAST_WITH_CLUSTER_RIGHTS = 10;

const NO_TAGS = 0;
const NO = 0;
const ZERO_UUID = Buffer.alloc(16);
/** The id in answers of brokers without topic ids. */
const ZERO_ID = ZERO_UUID.toString('base64url');

/** One topic as a broker describes it. */
export interface TopicDescription {
  readonly errorCode: number;
  readonly name: string;
  /** base64url of 16 bytes; undefined when the broker gives a zero id. */
  readonly topicId: string | undefined;
  /** Node id of each partition's leader, by partition; -1 without one. */
  readonly leaders: readonly number[];
}

/**
 * The body of a Metadata request, versions 10 to 12. It begins with the empty tags that end request header version 2, since
 * kafkajs writes only version 1 of the header.
 */
export function encodeMetadataRequest(version: number, topics: readonly string[]): Buffer {
  const names = topics.map((topic) => {
    const name = Buffer.from(topic);
    return Buffer.concat([ZERO_UUID, varint(name.length + 1), name, Buffer.of(NO_TAGS)]);
  });
  const rights = version <= LAST_WITH_CLUSTER_RIGHTS ? Buffer.of(NO, NO) : Buffer.of(NO);
  const mayCreate = Buffer.of(NO);
  return Buffer.concat([
    Buffer.of(NO_TAGS),
    varint(topics.length + 1),
    ...names,
    mayCreate,
    rights,
    Buffer.of(NO_TAGS),
  ]);
}

/** Reads the answer behind its correlation id: the tags of response header version 1, then the body. */
export function decodeMetadataResponse(bytes: Buffer): TopicDescription[] {
  const reader = new FlexibleReader(bytes);
  reader.skipTags();
  const throttleMs = 4;
  reader.skip(throttleMs);
  reader.compactArray(() => skipBroker(reader));
  reader.compactString();
  const controllerId = 4;
  reader.skip(controllerId);
  return reader.compactArray(() => topicOf(reader));
}

function skipBroker(reader: FlexibleReader): void {
  reader.int32();
  reader.compactString();
  reader.int32();
  reader.compactString();
  reader.skipTags();
}

function topicOf(reader: FlexibleReader): TopicDescription {
  const errorCode = reader.int16();
  const name = reader.compactString();
  const topicId = reader.uuid();
  const isInternal = 1;
  reader.skip(isInternal);
  const partitions = reader.compactArray(() => partitionOf(reader));
  const rights = 4;
  reader.skip(rights);
  reader.skipTags();
  const leaders: number[] = [];
  for (const { partition, leader } of partitions) leaders[partition] = leader;
  return { errorCode, name, topicId: topicId === ZERO_ID ? undefined : topicId, leaders };
}

function partitionOf(reader: FlexibleReader): { partition: number; leader: number } {
  reader.int16();
  const partition = reader.int32();
  const leader = reader.int32();
  reader.int32();
  for (let list = 0; list < REPLICA_LISTS; list++) reader.compactArray(() => reader.int32());
  reader.skipTags();
  return { partition, leader };
}

/** All replicas, those in sync, those offline. */
const REPLICA_LISTS = 3;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}
