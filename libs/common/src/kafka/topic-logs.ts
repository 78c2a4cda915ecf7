import { Logger } from '@nestjs/common';
import Cluster from 'kafkajs/src/cluster/index.js';
import { connect, REQUEST_TIMEOUT_MS } from './client.js';
import { patchKafkajs } from './kafkajs-patches.js';
import type { KafkaSettings } from './settings.js';
import { topicIdentities } from './topic-identity.js';

/** The log that a topic has now. */
export interface TopicLog {
  /** Kafka's topic id, base64url; empty when the broker gives none. */
  readonly topicId: string;
  readonly partitions: number;
}

const logger = new Logger('topicLogs');
const quiet = { namespace: () => quiet, debug: ignore, info: ignore, warn: ignore, error: noteError };

/**
 * Asks a broker which logs topics have, over a connection that is closed afterwards.
 *
 * @param topics without prefix
 * @returns by topic, without prefix
 * @throws when no broker answers, or a topic does not exist
 */
export async function topicLogs(settings: KafkaSettings, topics: readonly string[]): Promise<Map<string, TopicLog>> {
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
    const found = await topicIdentities(
      cluster,
      topics.map((topic) => settings.prefix + topic),
    );
    return new Map(
      topics.map((topic) => {
        const state = found.get(settings.prefix + topic);
        if (state === undefined) throw new Error(`the topic ${settings.prefix}${topic} does not exist`);
        return [topic, { topicId: state.topicId ?? '', partitions: state.partitions }];
      }),
    );
  } finally {
    await cluster.disconnect();
  }
}

function ignore(): void {
  // Without connection noise.
}

function noteError(message: string): void {
  logger.debug(message);
}
