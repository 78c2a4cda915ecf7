import { type KafkaSettings, partitionsOf } from '../../port/settings.js';
import type { TopicLog } from '../../port/topics.js';
import { clusterOf, createKafka } from '../connection/client.js';
import { topicIdentities } from '../queries/topic-identities.js';

/**
 * Asks a broker which logs topics have, over a connection that is closed afterwards.
 *
 * @param topics without prefix
 * @returns by topic, without prefix
 * @throws when no broker answers, or a topic does not exist
 */
export async function topicLogs(settings: KafkaSettings, topics: readonly string[]): Promise<Map<string, TopicLog>> {
  const cluster = clusterOf(createKafka(settings));
  try {
    await cluster.connect();
    const found = await topicIdentities(
      cluster,
      topics.map((topic) => settings.prefix + topic),
    );
    return new Map(
      topics.map((topic) => {
        const state = found.get(settings.prefix + topic);
        if (state === undefined) throw new Error(`the topic ${settings.prefix}${topic} does not exist`);
        // Keys belong to the configured partitions. Partitions that another operator added have no keys.
        const partitions = Math.min(state.partitions, partitionsOf(settings, topic));
        return [topic, { topicId: state.topicId ?? '', partitions }];
      }),
    );
  } finally {
    await cluster.disconnect();
  }
}
