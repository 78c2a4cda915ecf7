import { Logger } from '@nestjs/common';
import Cluster from 'kafkajs/src/cluster/index.js';
import Decoder from 'kafkajs/src/protocol/decoder.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { connect, REQUEST_TIMEOUT_MS } from './client.js';
import { patchKafkajs } from './kafkajs-patches.js';
import type { KafkaSettings } from './settings.js';

/** Identifies one log of a topic: another topic of the same name has another id. */
export interface TopicIdentity {
  /** Kafka's topic id, base64url; empty when the broker gives none. */
  readonly topicId: string;
  readonly partitions: number;
}

/** What takes a request that kafkajs does not know. */
interface ConnectedBroker {
  readonly connectionPool: {
    send(protocol: {
      readonly request: typeof METADATA & { encode(): Promise<Encoder> };
      readonly response: {
        decode(payload: Buffer): Promise<Map<string, TopicIdentity>>;
        parse(found: Map<string, TopicIdentity>): Promise<Map<string, TopicIdentity>>;
      };
    }): Promise<Map<string, TopicIdentity>>;
  };
}

const METADATA = { apiKey: 3, apiName: 'Metadata', apiVersion: 10 };
const ZERO_ID = Buffer.alloc(16);
const LEADER_NOT_AVAILABLE = 5;

const logger = new Logger('topicIdentities');
const quiet = { namespace: () => quiet, debug: ignore, info: ignore, warn: ignore, error: noteError };

/**
 * Asks a broker for the topic ids, which Metadata has from version 10 on; kafkajs speaks version 6.
 *
 * @param topics without prefix
 * @returns by topic, without prefix
 * @throws when no broker answers, or a topic does not exist
 */
export async function topicIdentities(
  settings: KafkaSettings,
  topics: readonly string[],
): Promise<Map<string, TopicIdentity>> {
  patchKafkajs();
  const cluster = new Cluster({
    logger: quiet,
    socketFactory: connect,
    brokers: [...settings.brokers],
    clientId: settings.clientId,
    connectionTimeout: 3_000,
    requestTimeout: REQUEST_TIMEOUT_MS,
    enforceRequestTimeout: true,
    metadataMaxAge: 300_000,
    retry: { initialRetryTime: 100, retries: 2 },
  });
  try {
    await cluster.connect();
    const broker = (await cluster.brokerPool.findConnectedBroker()) as unknown as ConnectedBroker;
    const names = topics.map((topic) => settings.prefix + topic);
    const found = await broker.connectionPool.send({
      request: { ...METADATA, encode: async () => metadataRequest(names) },
      response: { decode: async (payload) => readMetadata(payload), parse: async (identities) => identities },
    });
    return new Map(topics.map((topic) => [topic, identityOf(found, settings.prefix + topic)]));
  } finally {
    await cluster.disconnect();
  }
}

function identityOf(found: ReadonlyMap<string, TopicIdentity>, name: string): TopicIdentity {
  const identity = found.get(name);
  if (identity === undefined || identity.partitions === 0) throw new Error(`the topic ${name} does not exist`);
  return identity;
}

/** Flexible encoding: kafkajs writes the header without its tagged fields, which the body begins with here. */
function metadataRequest(names: readonly string[]): Encoder {
  const encoder = new Encoder().writeUVarInt(0).writeUVarInt(names.length + 1);
  for (const name of names) encoder.writeBuffer(ZERO_ID).writeUVarIntString(name).writeUVarInt(0);
  return encoder.writeBoolean(false).writeBoolean(false).writeBoolean(false).writeUVarInt(0);
}

function readMetadata(payload: Buffer): Map<string, TopicIdentity> {
  const decoder = new Decoder(payload);
  decoder.readTaggedFields();
  decoder.readInt32();
  decoder.readUVarIntArray(skipBroker);
  decoder.readUVarIntString();
  decoder.readInt32();
  return new Map((decoder.readUVarIntArray(readTopic) ?? []).flat());
}

function skipBroker(decoder: Decoder): void {
  decoder.readInt32();
  decoder.readUVarIntString();
  decoder.readInt32();
  decoder.readUVarIntString();
  decoder.readTaggedFields();
}

function readTopic(decoder: Decoder): [string, TopicIdentity][] {
  const error = decoder.readInt16();
  const name = decoder.readUVarIntString() ?? '';
  const id = decoder.readBytes(ZERO_ID.length);
  decoder.readBoolean();
  const partitions = decoder.readUVarIntArray(skipPartition)?.length ?? 0;
  decoder.readInt32();
  decoder.readTaggedFields();
  if (error !== 0 && error !== LEADER_NOT_AVAILABLE) return [];
  return [[name, { topicId: id.equals(ZERO_ID) ? '' : id.toString('base64url'), partitions }]];
}

function skipPartition(decoder: Decoder): void {
  decoder.readInt16();
  decoder.readInt32();
  decoder.readInt32();
  decoder.readInt32();
  for (let lists = 0; lists < 3; lists++) decoder.readUVarIntArray((of) => of.readInt32());
  decoder.readTaggedFields();
}

function ignore(): void {
  // Without connection noise.
}

function noteError(message: string): void {
  logger.debug(message);
}
