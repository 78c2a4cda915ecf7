import { kafkaClient } from '#common/kafka/connect.js';
import { createKafka } from '#common/kafka/kafkajs/connection/client.js';
import type { KafkaSettings } from '#common/kafka/port/settings.js';
import { until } from './until.js';

/** Deletes topics and creates them again, empty. @param topics names without prefix */
export async function recreateTopics(settings: KafkaSettings, topics: readonly string[]): Promise<void> {
  const admin = createKafka(settings).admin();
  await admin.connect();
  try {
    const names = topics.map((topic) => settings.prefix + topic);
    await admin.deleteTopics({ topics: names });
    await until('the topics are gone', async () => {
      const left = await admin.listTopics();
      return names.every((name) => !left.includes(name));
    });
  } finally {
    await admin.disconnect();
  }
  await kafkaClient(settings).ensureTopics();
}
