import kafkajs from 'kafkajs';
import { kafkaClient } from '../../scripts/lib/kafka-client.js';
import { TopicTail } from './topic-tail.js';
import { until } from './until.js';

/** The broker checks for logs to compact every 15 s. */
const COMPACTION_MS = 60_000;

/**
 * Compacts a topic at once, and waits for the end.
 *
 * @param touch writes a record, which closes the segment before it
 * @param isCompacted whether all values of the topic show the compaction
 */
export async function compact(
  { brokers, topic }: { brokers: readonly string[]; topic: string },
  touch: () => Promise<unknown>,
  isCompacted: (values: readonly string[]) => boolean,
): Promise<void> {
  const kafka = kafkaClient({ clientId: 'compaction', brokers: [...brokers] });
  const admin = kafka.admin();
  await admin.connect();
  const { ConfigResourceTypes } = kafkajs;
  const described = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }],
  });
  const kept = (described.resources[0]?.configEntries ?? [])
    .filter(({ configName }) => ['cleanup.policy', 'max.message.bytes', 'compression.type'].includes(configName))
    .map(({ configName, configValue }) => ({ name: configName, value: configValue }));
  const eager = { 'segment.ms': '500', 'min.cleanable.dirty.ratio': '0.001', 'delete.retention.ms': '0' };
  const configEntries = [...kept, ...Object.entries(eager).map(([name, value]) => ({ name, value }))];
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }],
  });
  await admin.disconnect();
  await until(
    `${topic} is compacted`,
    async () => {
      await touch();
      return isCompacted(await valuesOf(kafka, topic));
    },
    COMPACTION_MS,
  );
}

async function valuesOf(kafka: ReturnType<typeof kafkaClient>, topic: string): Promise<string[]> {
  const admin = kafka.admin();
  await admin.connect();
  const [offsets] = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  const tail = await TopicTail.start(kafka, topic);
  try {
    const last = Number(offsets?.high ?? 0) - 1;
    await until('the topic is read', () => (tail.records.at(-1)?.offset ?? -1) >= last);
    return tail.records.map(({ value }) => String(value));
  } finally {
    await tail.stop();
  }
}
