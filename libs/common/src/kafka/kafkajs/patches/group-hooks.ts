import type { EpochQuestion, OffsetQuestion } from '../queries/partition-queries.js';
import type { TopicState } from '../queries/topic-identities.js';

/** kafkajs's group coordinator, as far as this folder speaks to it. */
export interface GroupBroker {
  heartbeat(request: { groupId: string; memberId: string; groupGenerationId: number }): Promise<unknown>;
  leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>;
  describeGroups(request: {
    groupIds: string[];
  }): Promise<{ groups: { members: { memberId: string; clientId: string; memberMetadata: Buffer }[] }[] }>;
  offsetFetch(request: { groupId: string; topics: { topic: string; partitions: { partition: number }[] }[] }): Promise<{
    responses: { topic: string; partitions: { partition: number; offset: string; metadata: string | null }[] }[];
  }>;
}

/** The brokers as a group's client knows them: kafkajs's cluster with the queries that kafkajs lacks. */
export interface GroupCluster {
  findGroupCoordinator(request: { groupId: string }): Promise<GroupBroker>;
  /** Asks again where the subscribed topics are. */
  refreshMetadata(): Promise<void>;
  /** See topic-identities.ts. */
  topicIdentities(topics: readonly string[]): Promise<Map<string, TopicState>>;
  /** See partition-queries.ts. */
  offsetsAt(questions: readonly OffsetQuestion[]): Promise<Map<string, number>>;
  epochEnds(questions: readonly EpochQuestion[]): Promise<Map<string, number | undefined>>;
}

/** kafkajs's `ConsumerGroup`, as far as this folder drives it. */
export interface KafkaGroup {
  readonly groupId: string;
  readonly memberId: string | null;
  /** Member that assigns the partitions. */
  readonly leaderId: string | null;
  readonly generationId: number | null;
  /** How long a broker may wait for a first record, in ms. */
  maxWaitTime: number;
  readonly coordinator: GroupBroker;
  readonly cluster: GroupCluster;
  joinAndSync(): Promise<void>;
  assigned(): { topic: string; partitions: number[] }[];
  seek(position: { topic: string; partition: number; offset: string }): void;
  pause(topicPartitions: { topic: string; partitions: number[] }[]): void;
  resume(topicPartitions: { topic: string; partitions: number[] }[]): void;
  commitOffsets(offsets: { topics: readonly unknown[] }): Promise<void>;
}

/** Callbacks of a consumer group. The partition assigner carries them: kafkajs keeps no other object of the consumer. */
export interface GroupHooks {
  /** Before the group is joined, each time. */
  beforeJoin(group: KafkaGroup): Promise<void>;
  /** After the group was joined and synced, each time. */
  afterJoin(group: KafkaGroup): Promise<void>;
  /** Before each fetch of one broker. */
  beforeFetch(group: KafkaGroup): Promise<void>;
  afterFetch(): void;
  /** Passes on what a heartbeat of the client comes to: a refusal must be known before the client has acted on it. */
  watchRefusals<Answer>(group: KafkaGroup, answer: Promise<Answer>): Promise<Answer>;
  /** This member leads the group, and these members are other programs: they get no partition. Empty when there are none. */
  onStrangers(memberIds: readonly string[]): void;
  /** The group rejected the join: its members assign partitions by another protocol, so they are other programs. */
  onOtherProtocol(): void;
  /** The position of a partition is not in its log any more. kafkajs would reset it without a word. */
  onOutOfRange(group: KafkaGroup, topic: string, partition: number): Promise<void>;
}
