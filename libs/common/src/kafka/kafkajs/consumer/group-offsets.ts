import apiKeys from 'kafkajs/src/protocol/requests/apiKeys.js';
import protocol from 'kafkajs/src/protocol/requests/index.js';
import type { LogOffsets, OffsetsOfGroup, OffsetsReader } from '../../lag/offsets-reader.js';
import type { StallEnd } from '../../lag/stall-watch.js';
import type { KafkaSettings } from '../../port/settings.js';
import { ask, BrokerConnections, type Connection } from '../connection/broker-connections.js';

interface Leader extends Place {
  readonly host: string;
  readonly port: number;
}

interface Place {
  readonly topic: string;
  readonly partition: number;
}

interface MetadataAnswer {
  readonly brokers: readonly { nodeId: number; host: string; port: number }[];
  readonly topicMetadata: readonly {
    readonly topicErrorCode: number;
    readonly topic: string;
    readonly partitionMetadata: readonly { partitionId: number; leader: number }[];
  }[];
}

type PartitionAnswer = { readonly partition: number; readonly errorCode: number; readonly offset: string };

interface OffsetsAnswer {
  readonly errorCode?: number;
  readonly responses: readonly {
    readonly topic: string;
    readonly partitions: readonly (PartitionAnswer & { readonly metadata?: string | null })[];
  }[];
}

const UNKNOWN_TOPIC = 3;
const UNCOMMITTED = 0;
const COMMITTED = 1;
const LATEST = -1;
const EARLIEST = -2;
const END = /^ph-stall1:(\d{1,15}):(\d{1,15}):(\d{1,15})$/;

/**
 * Asks the brokers for a group's commits and its logs' ends: one Metadata and one OffsetFetch request for all topics, and two
 * ListOffsets requests to each leader. A third one, for the starts of the logs, follows when there is lag.
 */
export class GroupOffsets implements OffsetsReader {
  private readonly connections: BrokerConnections;
  private readonly groupId: string | undefined;
  private readonly topics: ReadonlySet<string>;
  private readonly allTopics: readonly string[];
  private readonly memoryGroupId: string;

  /**
   * @param group without prefix. The group of a table has no commits: lag begins at the start of its log
   */
  constructor(
    settings: KafkaSettings,
    group: { readonly groupId: string; readonly topics: readonly string[]; readonly isTable?: boolean },
  ) {
    this.connections = new BrokerConnections(settings);
    this.groupId = group.isTable ? undefined : settings.prefix + group.groupId;
    this.topics = new Set(group.topics.map((topic) => settings.prefix + topic));
    this.allTopics = settings.topics.map(({ topic }) => settings.prefix + topic);
    this.memoryGroupId = `${settings.prefix}stalls-${group.groupId}`;
  }

  async read(): Promise<OffsetsOfGroup> {
    const { leaders, leaderless, missing } = await this.metadata();
    const outages = leaderless.filter(({ topic }) => this.topics.has(topic));
    const [stable, end, commits] = await Promise.all([
      this.listOffsets(leaders, LATEST, COMMITTED),
      this.listOffsets(leaders, LATEST, UNCOMMITTED),
      this.commits(leaders),
    ]);
    const known = leaders.map((leader) => {
      const name = nameOf(leader);
      const outage = stable.outages.get(name) ?? end.outages.get(name);
      const commit = commits.get(name) ?? -1;
      const at = { commit, stable: stable.offsets.get(name) ?? 0, end: end.offsets.get(name) ?? 0 };
      return { topic: leader.topic, partition: leader.partition, ...at, ...(outage === undefined ? {} : { outage }) };
    });
    const logs = [...(await this.fromStarts(known, leaders)), ...outages];
    return { logs, missing, leaderless: leaderless.map(nameOf) };
  }

  async lastEnd(topic: string, partition: number): Promise<StallEnd | undefined> {
    const broker = await this.coordinator(this.memoryGroupId);
    const answer = await offsetFetch(broker, this.memoryGroupId, [{ topic, partition }]);
    const [, at, commit, stable] = END.exec(answer.responses[0]?.partitions[0]?.metadata ?? '') ?? [];
    return at === undefined ? undefined : { at: Number(at), commit: Number(commit), stable: Number(stable) };
  }

  async noteEnd(topic: string, partition: number, { at, commit, stable }: StallEnd): Promise<void> {
    const broker = await this.coordinator(this.memoryGroupId);
    const metadata = `ph-stall1:${at}:${commit}:${stable}`;
    await broker.offsetCommit({
      groupId: this.memoryGroupId,
      groupGenerationId: -1,
      memberId: '',
      topics: [{ topic, partitions: [{ partition, offset: String(commit), metadata }] }],
    });
  }

  close(): Promise<void> {
    return this.connections.close();
  }

  private async metadata(): Promise<{ leaders: Leader[]; leaderless: LogOffsets[]; missing: string[] }> {
    const content = { topics: this.allTopics, allowAutoTopicCreation: false };
    const broker = await this.connections.any();
    const answer = await ask<MetadataAnswer>(broker, apiKeys.Metadata, protocol.requests.Metadata, content);
    const nodes = new Map(answer.brokers.map((node) => [node.nodeId, node]));
    const leaders: Leader[] = [];
    const leaderless: LogOffsets[] = [];
    for (const { topic, partitionMetadata } of answer.topicMetadata) {
      for (const { partitionId: partition, leader } of partitionMetadata) {
        const node = nodes.get(leader);
        if (node === undefined)
          leaderless.push({ topic, partition, commit: 0, stable: 0, end: 0, outage: 'no leader' });
        else if (this.topics.has(topic)) leaders.push({ topic, partition, host: node.host, port: node.port });
      }
    }
    const missing = answer.topicMetadata.flatMap(({ topic, topicErrorCode }) =>
      topicErrorCode === UNKNOWN_TOPIC && this.topics.has(topic) ? [topic] : [],
    );
    return { leaders, leaderless, missing };
  }

  /** Asks each leader once for all its partitions. */
  private async listOffsets(
    leaders: readonly Leader[],
    timestamp: number,
    isolationLevel: number,
  ): Promise<{ offsets: Map<string, number>; outages: Map<string, string> }> {
    const offsets = new Map<string, number>();
    const outages = new Map<string, string>();
    const byLeader = [...Map.groupBy(leaders, ({ host, port }) => `${host}:${port}`).values()];
    const answers = byLeader.map(async (places) => {
      const broker = await this.connections.at(places[0] ?? { host: '', port: 0 });
      const content = { isolationLevel, topics: byTopic(places, (partition) => ({ partition, timestamp })) };
      return ask<OffsetsAnswer>(broker, apiKeys.ListOffsets, protocol.requests.ListOffsets, content);
    });
    for (const { responses } of await Promise.all(answers)) {
      for (const { topic, partitions } of responses) {
        for (const { partition, errorCode, offset } of partitions) {
          if (errorCode === 0) offsets.set(nameOf({ topic, partition }), Number(offset));
          else outages.set(nameOf({ topic, partition }), `the leader answers with error ${errorCode}`);
        }
      }
    }
    return { offsets, outages };
  }

  private async commits(places: readonly Place[]): Promise<Map<string, number>> {
    if (this.groupId === undefined || places.length === 0) return new Map();
    const broker = await this.coordinator(this.groupId);
    const { responses } = await offsetFetch(broker, this.groupId, places);
    const commits = responses.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset }) => [nameOf({ topic, partition }), Number(offset)] as const),
    );
    return new Map(commits);
  }

  /** Where retention has passed a commit, or nothing was committed, the group goes on at the start of the log. */
  private async fromStarts(logs: readonly LogOffsets[], leaders: readonly Leader[]): Promise<LogOffsets[]> {
    const behind = new Set(logs.filter(({ commit, stable }) => commit < stable).map(nameOf));
    if (behind.size === 0) return [...logs];
    const starts = await this.listOffsets(
      leaders.filter((leader) => behind.has(nameOf(leader))),
      EARLIEST,
      UNCOMMITTED,
    );
    return logs.map((log) => ({ ...log, commit: Math.max(log.commit, starts.offsets.get(nameOf(log)) ?? 0) }));
  }

  /** Found again for each read: a coordinator that moved must not be asked. */
  private async coordinator(groupId: string): Promise<Connection> {
    const broker = await this.connections.any();
    const { coordinator } = await broker.findGroupCoordinator({ groupId });
    return this.connections.at(coordinator);
  }
}

async function offsetFetch(broker: Connection, groupId: string, places: readonly Place[]): Promise<OffsetsAnswer> {
  const content = { groupId, topics: byTopic(places, (partition) => ({ partition })) };
  const answer = await ask<OffsetsAnswer>(broker, apiKeys.OffsetFetch, protocol.requests.OffsetFetch, content);
  const errorCode = answer.errorCode || answer.responses[0]?.partitions[0]?.errorCode;
  if (errorCode) throw new Error(`the coordinator of ${groupId} answers with error ${errorCode}`);
  return answer;
}

function byTopic<Partition>(places: readonly Place[], partitionOf: (partition: number) => Partition) {
  const groups = Map.groupBy(places, ({ topic }) => topic);
  return [...groups].map(([topic, list]) => ({
    topic,
    partitions: list.map(({ partition }) => partitionOf(partition)),
  }));
}

function nameOf({ topic, partition }: Place): string {
  return `${topic}/${partition}`;
}
