import { randomBytes } from 'node:crypto';
import { type TopicSpec, topicSpecs } from '../../records/topics.js';
import { RecordSigner, RecordVerifier } from '../../security/record-signature.js';

export interface SaslCredentials {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  readonly username: string;
  readonly password: string;
}

/** How this process reaches Kafka, and its client id. */
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
  /** Which signatures configuration records need; without it any record counts. */
  readonly trust?: RecordTrust;
  /** Resolves when all topics exist and are as configured. Readers and writers wait for it. */
  readonly topicsReady: Promise<void>;
  /** Ends the process: a consumer stopped for good, and only a restart brings it back. */
  readonly onFatal: (error: Error) => void;
}

/** Which records of `endpoints` and `api-keys` an app uses. */
export interface RecordTrust {
  /** Undefined where no public key is configured: signatures are not looked at. */
  readonly verifier: RecordVerifier | undefined;
  /** Unsigned records are ignored. */
  readonly isSignatureRequired: boolean;
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
  readonly CONFIG_PUBLIC_KEYS?: string | undefined;
  readonly CONFIG_SIGNING_KEY?: string | undefined;
  readonly REQUIRE_SIGNED_RECORDS?: boolean;
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
    trust: recordTrust(config),
    ...life,
  };
}

function saslOf(config: KafkaConfig): Pick<KafkaSettings, 'sasl'> {
  const { KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password, KAFKA_SASL_MECHANISM: mechanism } = config;
  return username === undefined ? {} : { sasl: { mechanism, username, password } };
}

/** An app that signs trusts what it signed itself. */
function recordTrust({ CONFIG_PUBLIC_KEYS: publicKeys, CONFIG_SIGNING_KEY: own, ...config }: KafkaConfig): RecordTrust {
  const keys = [...(publicKeys ? [publicKeys] : []), ...(own ? [new RecordSigner(own).publicKey] : [])];
  const verifier = keys.length > 0 ? new RecordVerifier(keys.join(',')) : undefined;
  return { verifier, isSignatureRequired: config.REQUIRE_SIGNED_RECORDS ?? false };
}

/** @throws Error when the settings do not name the topic */
export function partitionsOf(settings: KafkaSettings, topic: string): number {
  const spec = settings.topics.find((candidate) => candidate.topic === topic);
  if (spec === undefined) throw new Error(`unknown topic ${topic}`);
  return spec.partitions;
}

/** Largest record batch that a topic takes, in bytes; undefined for an unknown topic. */
export function maxBatchBytesOf(settings: Pick<KafkaSettings, 'topics'>, topic: string): number | undefined {
  const spec = settings.topics.find((candidate) => candidate.topic === topic);
  return spec && Number(spec.config['max.message.bytes']);
}
