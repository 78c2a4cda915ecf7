import { randomBytes } from 'node:crypto';
import { type TopicSpec, topicSpecs } from '../records/topics.js';

export interface SaslCredentials {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  readonly username: string;
  readonly password: string;
}

/** How this process reaches Kafka and what it calls itself there. */
export interface KafkaSettings {
  readonly brokers: readonly string[];
  /** Missing where brokers ask for no authentication. */
  readonly sasl?: SaslCredentials;
  /** Put before every topic and group name. */
  readonly prefix: string;
  /** This process's own: members of a group that have it are earlier lives of this process. */
  readonly clientId: string;
  readonly sessionTimeoutMs: number;
  /** How long a partition with lag may stand still without a reason; 30 s when missing. */
  readonly stallMs?: number;
  readonly topics: readonly TopicSpec[];
  readonly replicationFactor: number;
  /** Resolves when all topics exist and are as configured; whoever reads or writes waits for it. */
  readonly topicsReady: Promise<void>;
  /** Ends the process: a consumer stopped for good, and only a restart brings it back. */
  readonly onFatal: (error: Error) => void;
}

/** DI token of {@link KafkaSettings}. */
export const KAFKA_SETTINGS = Symbol('KafkaSettings');

/** The part of an app's configuration that `kafkaEnv` gives. */
export interface KafkaConfig {
  readonly KAFKA_BROKERS: string[];
  readonly KAFKA_SASL_USERNAME?: string | undefined;
  readonly KAFKA_SASL_PASSWORD: string;
  readonly KAFKA_SASL_MECHANISM: SaslCredentials['mechanism'];
  readonly KAFKA_TOPIC_PREFIX: string;
  readonly KAFKA_SESSION_TIMEOUT_MS: number;
  readonly STALL_SECONDS: number;
  readonly INSTANCE: string;
  readonly LOG_PARTITIONS: number;
  readonly SIDE_PARTITIONS: number;
  readonly REPLICATION_FACTOR: number;
  readonly MAX_EVENT_BYTES: number;
}

export function kafkaSettings(
  app: string,
  config: KafkaConfig,
  life: Pick<KafkaSettings, 'topicsReady' | 'onFatal'>,
): KafkaSettings {
  const instance = config.INSTANCE || `${app}-${randomBytes(4).toString('hex')}`;
  return {
    brokers: config.KAFKA_BROKERS,
    ...saslOf(config),
    prefix: config.KAFKA_TOPIC_PREFIX,
    clientId: `posthorn-${instance}`,
    sessionTimeoutMs: config.KAFKA_SESSION_TIMEOUT_MS,
    stallMs: config.STALL_SECONDS * 1_000,
    topics: topicSpecs({
      logPartitions: config.LOG_PARTITIONS,
      sidePartitions: config.SIDE_PARTITIONS,
      maxEventBytes: config.MAX_EVENT_BYTES,
    }),
    replicationFactor: config.REPLICATION_FACTOR,
    ...life,
  };
}

function saslOf(config: KafkaConfig): Pick<KafkaSettings, 'sasl'> {
  const { KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password, KAFKA_SASL_MECHANISM: mechanism } = config;
  return username === undefined ? {} : { sasl: { mechanism, username, password } };
}

/** @throws Error when the topic is none of ours */
export function partitionsOf(settings: KafkaSettings, topic: string): number {
  const spec = settings.topics.find((candidate) => candidate.topic === topic);
  if (spec === undefined) throw new Error(`unknown topic ${topic}`);
  return spec.partitions;
}
