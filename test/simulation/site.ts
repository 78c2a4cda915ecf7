import { KafkajsConsumer } from '#common/kafka/kafkajs/consumer/log-consumer.js';
import type { LogConsumerOptions } from '#common/kafka/port/log-consumer.js';
import type { KafkaSettings } from '#common/kafka/port/settings.js';
import type { Cluster } from './cluster.js';
import type { EndpointTables } from './endpoint-tables.js';
import { KafkaClient } from './kafka-client.js';
import type { LaneTables } from './lane-tables.js';
import type { ProjectionTables } from './projection-tables.js';
import type { Shape } from './shape.js';
import type { AttemptSurroundings } from './simulated-attempter.js';
import type { Host } from './virtual-time.js';

/** Time that a fetch waits for a first record, ms. The product waits less, and fetches more often. */
const FETCH_WAIT_MS = 1_000;

/** The environment that all processes share. */
export interface Site {
  readonly cluster: Cluster;
  readonly shape: Shape;
  readonly lanes: LaneTables;
  readonly endpoints: EndpointTables;
  readonly projection: ProjectionTables;
  readonly attempts: AttemptSurroundings;
  settings(host: Host): KafkaSettings;
}

/** Starts a consumer as an app does. @returns function that stops it in order */
export function consume({ cluster }: Site, settings: KafkaSettings, options: LogConsumerOptions): () => Promise<void> {
  const consumer = new KafkajsConsumer(
    settings,
    { ...options, maxWaitMs: FETCH_WAIT_MS },
    new KafkaClient(cluster, settings.clientId),
  );
  void consumer.start();
  return () => consumer.stop();
}
