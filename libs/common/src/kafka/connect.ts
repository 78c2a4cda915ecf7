import { KafkajsClient } from './kafkajs/kafkajs-client.js';
import type { KafkaClient } from './port/kafka-client.js';
import type { KafkaSettings } from './port/settings.js';

/** The Kafka client of this system. Only this file chooses which one that is. */
export function kafkaClient(settings: KafkaSettings): KafkaClient {
  return new KafkajsClient(settings);
}
