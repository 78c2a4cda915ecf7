import { z } from 'zod';
import { kafkaEnv, loadConfig } from '#common/config/env.js';
import { kafkaSettings } from '#common/kafka/port/settings.js';

/**
 * Settings of the product's own Kafka clients, for those who load it: they take less of the CPU that is measured.
 */
export function benchKafkaSettings(brokers: string[]) {
  const config = loadConfig(z.object(kafkaEnv), { ...process.env, KAFKA_BROKERS: brokers.join(',') });
  return kafkaSettings('bench', config, {
    topicsReady: Promise.resolve(),
    onFatal: (error) => {
      throw error;
    },
  });
}
