import apiKeys from 'kafkajs/src/protocol/requests/apiKeys.js';
import protocol from 'kafkajs/src/protocol/requests/index.js';
import type { FetchedLog } from '../../partition/fetched-log.js';
import { RecordsGoneError } from '../../port/owned-log.js';
import type { KafkaSettings } from '../../port/settings.js';
import { ask, BrokerConnections, type Connection, type RequestDefinition } from '../connection/broker-connections.js';
import {
  decodeFetchResponse,
  type FetchResponse,
  FIRST_FETCH_VERSION,
  LAST_FETCH_VERSION,
} from '../patches/fetch-response.js';

/** Reads a log from any offset, apart from what a consumer reads. */
export interface LogReader {
  /**
   * One fetch of committed records. It does not wait for records to come.
   *
   * @param topic without prefix
   * @throws RecordsGoneError when the log has no such offset; Error when the leader does not answer
   */
  read(topic: string, partition: number, from: number): Promise<FetchedLog>;
  close(): Promise<void>;
}

interface Leaders {
  readonly brokers: readonly { nodeId: number; host: string; port: number }[];
  readonly topicMetadata: readonly {
    readonly topic: string;
    readonly partitionMetadata: readonly { readonly partitionId: number; readonly leader: number }[];
  }[];
}

/** kafkajs's request, with a response that is decoded here. */
const FETCH: RequestDefinition = {
  versions: protocol.requests.Fetch.versions.filter(
    (version: string) => Number(version) >= FIRST_FETCH_VERSION && Number(version) <= LAST_FETCH_VERSION,
  ),
  protocol: ({ version }) => {
    const make = protocol.requests.Fetch.protocol({ version });
    return (content) => {
      const made = make(content);
      return { ...made, response: { ...made.response, decode: async (body) => decodeFetchResponse(body, version) } };
    };
  },
};

const FETCH_BYTES = 196_608;
const COMMITTED = 1;
const NOT_A_REPLICA = -1;
const OUT_OF_RANGE = 1;
const NO_WAIT_MS = 0;

/** Reads over connections of its own: kafkajs's consumer has one position per partition. */
export class KafkajsLogReader implements LogReader {
  private readonly connections: BrokerConnections;
  /** By `topic/partition`, with prefix. */
  private readonly leaders = new Map<string, Connection>();

  constructor(private readonly settings: KafkaSettings) {
    this.connections = new BrokerConnections(settings);
  }

  async read(topic: string, partition: number, from: number): Promise<FetchedLog> {
    const name = `${this.settings.prefix}${topic}/${partition}`;
    try {
      const leader = this.leaders.get(name) ?? (await this.leaderOf(this.settings.prefix + topic, partition));
      this.leaders.set(name, leader);
      const fetched = await fetchFrom(leader, this.settings.prefix + topic, partition, from);
      return await fetched.read(from, { topic, partition });
    } catch (error) {
      // Another broker may lead the partition by now.
      this.leaders.delete(name);
      throw error;
    }
  }

  close(): Promise<void> {
    return this.connections.close();
  }

  private async leaderOf(topic: string, partition: number): Promise<Connection> {
    const broker = await this.connections.any();
    const content = { topics: [topic], allowAutoTopicCreation: false };
    const answer = await ask<Leaders>(broker, apiKeys.Metadata, protocol.requests.Metadata, content);
    const found = answer.topicMetadata.find((metadata) => metadata.topic === topic);
    const leader = found?.partitionMetadata.find(({ partitionId }) => partitionId === partition)?.leader;
    const node = answer.brokers.find(({ nodeId }) => nodeId === leader);
    if (node === undefined) throw new Error(`${topic}/${partition} has no leader`);
    return this.connections.at(node);
  }
}

async function fetchFrom(leader: Connection, topic: string, partition: number, from: number) {
  const partitions = [{ partition, currentLeaderEpoch: -1, fetchOffset: String(from), maxBytes: FETCH_BYTES }];
  const answer = await ask<FetchResponse>(leader, apiKeys.Fetch, FETCH, {
    replicaId: NOT_A_REPLICA,
    isolationLevel: COMMITTED,
    maxWaitTime: NO_WAIT_MS,
    minBytes: 0,
    maxBytes: FETCH_BYTES,
    topics: [{ topic, partitions }],
    rackId: '',
  });
  const read = answer.responses[0]?.partitions[0];
  const errorCode = answer.errorCode || read?.errorCode;
  if (errorCode === OUT_OF_RANGE) throw new RecordsGoneError(`${topic}/${partition} has no offset ${from} any more`);
  if (errorCode || read === undefined) throw new Error(`${topic}/${partition} is not read again: error ${errorCode}`);
  return read.messages.records;
}
