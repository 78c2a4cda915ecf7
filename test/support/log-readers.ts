import { register } from 'prom-client';
import { kafkaClient } from '#common/kafka/connect.js';
import { clusterOf, createKafka } from '#common/kafka/kafkajs/connection/client.js';
import type { KafkaSettings } from '#common/kafka/port/settings.js';
import { RecordingConsumer } from './kafka-port/recording-consumer.js';
import { until } from './until.js';

const GROUP = 'readers';

interface CoordinatorCluster {
  connect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  findGroupCoordinator(of: object): Promise<{ offsetCommit(request: object): Promise<unknown> }>;
}

/** Resources that are closed after the test, in reverse order. */
export class Opened {
  private readonly cleanups: (() => Promise<unknown>)[] = [];

  add(cleanup: () => Promise<unknown>): void {
    this.cleanups.push(cleanup);
  }

  async close(): Promise<void> {
    for (const cleanup of this.cleanups.splice(0).reverse()) await cleanup();
  }

  async consume(settings: KafkaSettings, topics = ['log']): Promise<RecordingConsumer> {
    const reader = new RecordingConsumer(settings, { groupId: GROUP, topics });
    this.add(() => reader.stop());
    await reader.start();
    return reader;
  }

  async adminOf(settings: KafkaSettings) {
    const admin = createKafka(settings).admin();
    this.add(() => admin.disconnect());
    await admin.connect();
    return admin;
  }

  async recreate(settings: KafkaSettings, topic: string): Promise<void> {
    const admin = await this.adminOf(settings);
    await admin.deleteTopics({ topics: [settings.prefix + topic] });
    await until('the topic is gone', async () => !(await admin.listTopics()).includes(settings.prefix + topic));
    await kafkaClient(settings).ensureTopics();
  }

  /** Commits an offset of partition 0 of `log` without a consumer. The group must have no member. */
  async commit(settings: KafkaSettings, offset: number, metadata: string): Promise<void> {
    const cluster = clusterOf(createKafka(settings)) as ReturnType<typeof clusterOf> & CoordinatorCluster;
    this.add(() => cluster.disconnect());
    await cluster.connect();
    await cluster.refreshMetadata();
    const groupId = settings.prefix + GROUP;
    const coordinator = await cluster.findGroupCoordinator({ groupId });
    await coordinator.offsetCommit({
      groupId,
      memberId: '',
      groupGenerationId: -1,
      topics: [{ topic: `${settings.prefix}log`, partitions: [{ partition: 0, offset: String(offset), metadata }] }],
    });
  }

  /** The commit of partition 0 of `log`. */
  async committed(settings: KafkaSettings): Promise<string | undefined> {
    const [topic] = await (await this.adminOf(settings)).fetchOffsets({
      groupId: settings.prefix + GROUP,
      topics: [`${settings.prefix}log`],
    });
    return topic?.partitions[0]?.offset;
  }
}

export function values(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${name}${index}`);
}

export async function publish(
  settings: KafkaSettings,
  content: readonly string[],
  topic = 'log',
  key = 'k',
): Promise<void> {
  const producer = kafkaClient(settings).producer();
  await producer.connect();
  await producer.write(content.map((value) => ({ topic, key, value })));
  await producer.close();
}

/** Value of a counter with the label `topic`. */
export async function counted(name: string, topic: string): Promise<number> {
  const metric = await register.getSingleMetric(name)?.get();
  return metric?.values.find(({ labels }) => labels.topic === topic)?.value ?? 0;
}
