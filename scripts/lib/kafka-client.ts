import { Kafka, logLevel, Partitioners, type ProducerConfig } from 'kafkajs';
import { patchKafkajs } from '#common/kafka/kafkajs/patches/patch-kafkajs.js';
import { saslOf } from './kafka-sasl.mjs';

interface ClientOptions {
  readonly clientId: string;
  readonly brokers: string[];
  /** Where brokers are expected to be away at times. */
  readonly isQuiet?: boolean;
  /** Has the user name and password, if the brokers ask for them. */
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

/** @returns a producer that brings a key to the same partition as any other client: murmur2, as Java's client */
export function keyedProducer(kafka: Kafka, options?: ProducerConfig) {
  return kafka.producer({ ...options, createPartitioner: Partitioners.DefaultPartitioner });
}
