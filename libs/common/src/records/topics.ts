import { LONGEST_TIER_MS, TIERS } from '../domain/tier.js';

/** Topic names without the configured prefix. */
export const INGEST_TOPIC = 'ingest';
export const DELIVERIES_TOPIC = 'deliveries';
export const ATTEMPTS_TOPIC = 'attempts';
export const DLQ_TOPIC = 'dlq';
export const ENDPOINTS_TOPIC = 'endpoints';
export const API_KEYS_TOPIC = 'api-keys';

/** Requirements of a topic. Broker settings have Kafka's own names. */
export interface TopicSpec {
  readonly topic: string;
  readonly partitions: number;
  readonly config: Readonly<Record<string, string>>;
}

export interface TopicSizing {
  /** Partitions of `ingest` and `deliveries`. */
  readonly logPartitions: number;
  /** Partitions of each tier, `attempts` and `dlq`. */
  readonly sidePartitions: number;
  /** Largest event body the doors accept, in bytes. */
  readonly maxEventBytes: number;
}

const DAY_MS = 86_400_000;

/**
 * Room above the largest event for the envelope, static headers and the headers a retry or dead letter adds: a record
 * that was once accepted must fit every later topic, and a produce batches several.
 */
export const RECORD_HEADROOM_BYTES = 64 * 1_024;

/** Largest record batch the topics take; also the most a producer puts into one request. */
export function maxBatchBytes(maxEventBytes: number): number {
  return 2 * (maxEventBytes + RECORD_HEADROOM_BYTES) + 512 * 1_024;
}

/** Every topic of the system with the settings it is created with and checked against. */
export function topicSpecs(sizing: TopicSizing): TopicSpec[] {
  const batch = { 'max.message.bytes': String(maxBatchBytes(sizing.maxEventBytes)) };
  const log = (retentionMs: number) => ({ ...batch, 'cleanup.policy': 'delete', 'retention.ms': String(retentionMs) });
  const compacted = { ...batch, 'cleanup.policy': 'compact' };
  const appendTime = { 'message.timestamp.type': 'LogAppendTime' };
  return [
    { topic: INGEST_TOPIC, partitions: sizing.logPartitions, config: { ...log(7 * DAY_MS), ...appendTime } },
    { topic: DELIVERIES_TOPIC, partitions: sizing.logPartitions, config: { ...log(7 * DAY_MS), ...appendTime } },
    ...TIERS.map(({ topic }) => ({
      topic,
      partitions: sizing.sidePartitions,
      config: { ...log(Math.max(7 * DAY_MS, 3 * LONGEST_TIER_MS)), ...appendTime },
    })),
    { topic: ATTEMPTS_TOPIC, partitions: sizing.sidePartitions, config: { ...log(7 * DAY_MS), ...appendTime } },
    { topic: DLQ_TOPIC, partitions: sizing.sidePartitions, config: { ...log(30 * DAY_MS), ...appendTime } },
    { topic: ENDPOINTS_TOPIC, partitions: 1, config: compacted },
    { topic: API_KEYS_TOPIC, partitions: 1, config: compacted },
  ];
}
