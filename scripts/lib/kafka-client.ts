import { Kafka, logLevel, Partitioners, type ProducerConfig } from 'kafkajs';
import { patchKafkajs } from '#common/kafka/kafkajs/patches/patch-kafkajs.js';
import { saslOf } from './kafka-sasl.mjs';

interface ClientOptions {
  readonly clientId: string;
  readonly brokers: string[];
  /** Retry settings for brokers that stop during a run. */
  readonly isQuiet?: boolean;
  /** Environment with user name and password, if the brokers require them. */
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * A client for scripts and tests: kafkajs with the product's patches (docs/adr/0002). The product's own producers and
 * consumers are in libs/common/src/kafka.
 */
export function kafkaClient({ clientId, brokers, isQuiet = false, env = process.env }: ClientOptions) {
  patchKafkajs();
  return new Kafka({ clientId, brokers, ...saslOf(env), logLevel: isQuiet ? logLevel.NOTHING : logLevel.ERROR });
}

/** @returns a producer that partitions keys by murmur2, as Java's client */
export function keyedProducer(kafka: Kafka, options?: ProducerConfig) {
  return kafka.producer({ ...options, createPartitioner: Partitioners.DefaultPartitioner });
}
