import { z } from 'zod';
import { kafkaEnv, loadConfig } from '#common/config/env.js';
import { kafkaSettings } from '#common/kafka/port/settings.js';

/**
 * Kafka client settings of the product, for load generators: they use less of the measured CPU.
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
