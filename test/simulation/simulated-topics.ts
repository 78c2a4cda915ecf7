import type { GroupBroker, GroupCluster } from '#common/kafka/kafkajs-group.js';
import { EARLIEST, type EpochQuestion, type OffsetQuestion } from '#common/kafka/partition-queries.js';
import type { TopicState } from '#common/kafka/topic-identity.js';
import { logName } from './broker.js';
import type { Cluster } from './cluster.js';

const ONE_BROKER = 0;

/** What one broker answers about its topics, which are never replaced and lose nothing. */
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
    return this.kafka.network.ask('kafka', () => new Map(topics.map((topic) => [topic, this.stateOf(topic)])));
  }

  offsetsAt(questions: readonly OffsetQuestion[]): Promise<Map<string, number>> {
    const { broker, network } = this.kafka;
    return network.ask(
      'kafka',
      () =>
        new Map(
          questions.map(({ topic, partition, timestamp }) => {
            const name = logName(topic, partition);
            return [name, timestamp === EARLIEST ? 0 : broker.log(name).length];
          }),
        ),
    );
  }

  epochEnds(questions: readonly EpochQuestion[]): Promise<Map<string, number | undefined>> {
    return Promise.resolve(new Map(questions.map(({ topic, partition }) => [logName(topic, partition), undefined])));
  }

  private stateOf(topic: string): TopicState {
    const partitions = this.kafka.partitionsOf(topic);
    return { topicId: `id-of-${topic}`, partitions, leaders: Array<number>(partitions).fill(ONE_BROKER) };
  }
}
