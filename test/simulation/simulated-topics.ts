import type { GroupBroker, GroupCluster } from '#common/kafka/kafkajs/patches/group-hooks.js';
import { EARLIEST, type EpochQuestion, type OffsetQuestion } from '#common/kafka/kafkajs/queries/partition-queries.js';
import type { TopicState } from '#common/kafka/kafkajs/queries/topic-identities.js';
import { logName } from './broker.js';
import type { Cluster } from './cluster.js';

const ONE_BROKER = 0;

/**
 * A broker's answers about its topics, which are never replaced and lose no record. Only the ends of logs change, so
 * only they need a request over the network. In reality the other answers share its round trip.
 */
export class SimulatedTopics implements GroupCluster {
  constructor(
    private readonly kafka: Cluster,
    private readonly coordinator: GroupBroker,
  ) {}

  findGroupCoordinator(): Promise<GroupBroker> {
    return Promise.resolve(this.coordinator);
  }

  refreshMetadata(): Promise<void> {
    return Promise.resolve();
  }

  topicIdentities(topics: readonly string[]): Promise<Map<string, TopicState>> {
    return Promise.resolve(new Map(topics.map((topic) => [topic, this.stateOf(topic)])));
  }

  async offsetsAt(questions: readonly OffsetQuestion[]): Promise<Map<string, number>> {
    const names = questions.map(({ topic, partition }) => logName(topic, partition));
    if (questions.every(({ timestamp }) => timestamp === EARLIEST)) return new Map(names.map((name) => [name, 0]));
    const { broker, network } = this.kafka;
    return network.ask('kafka', () => new Map(names.map((name) => [name, broker.log(name).length])));
  }

  epochEnds(questions: readonly EpochQuestion[]): Promise<Map<string, number | undefined>> {
    return Promise.resolve(new Map(questions.map(({ topic, partition }) => [logName(topic, partition), undefined])));
  }

  private stateOf(topic: string): TopicState {
    const partitions = this.kafka.partitionsOf(topic);
    return { topicId: `id-of-${topic}`, partitions, leaders: Array<number>(partitions).fill(ONE_BROKER) };
  }
}
