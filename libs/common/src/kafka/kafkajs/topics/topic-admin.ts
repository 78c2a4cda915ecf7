import { Logger } from '@nestjs/common';
import kafkajs, { type Admin } from 'kafkajs';
import type { TopicSpec } from '../../../records/topics.js';
import { delay } from '../../../timing/timing.js';
import type { KafkaSettings } from '../../port/settings.js';
import { TopicMismatchError } from '../../port/topics.js';
import { clusterOf, createKafka } from '../connection/client.js';
import type { RequestCluster } from '../queries/raw-request.js';
import { type TopicState, topicIdentities } from '../queries/topic-identities.js';

// Node does not see this name among the exports of a CommonJS package.
const { ConfigResourceTypes } = kafkajs;

/** Settings that may be larger than asked for; all others must be equal. */
const MINIMUMS: ReadonlySet<string> = new Set(['max.message.bytes', 'retention.ms']);
const RETRY_MS = 1_000;
/** A new partition has its leader within this time, unless brokers are away. */
const LEADERS_TIMEOUT_MS = 10_000;
const LEADERS_POLL_MS = 100;

/**
 * Creates the topics that are missing and checks the others, waiting for a broker as long as it takes.
 *
 * @throws TopicMismatchError naming every difference
 */
export async function ensureTopics(settings: KafkaSettings): Promise<void> {
  const logger = new Logger('ensureTopics');
  const kafka = createKafka(settings);
  const admin = kafka.admin({ retry: { retries: 2 } });
  const cluster = clusterOf(kafka);
  try {
    for (;;) {
      try {
        await admin.connect();
        await createMissing(admin, settings);
        await proveLeaders(admin, await awaitLeaders(cluster, settings));
        const problems = await differences(admin, settings);
        if (problems.length > 0)
          throw new TopicMismatchError(`topics differ from the configuration:\n${problems.join('\n')}`);
        return;
      } catch (error) {
        if (error instanceof TopicMismatchError) throw error;
        logger.warn({ err: error }, 'kafka.unreachable');
        await delay(RETRY_MS);
      }
    }
  } finally {
    await Promise.all([admin.disconnect(), cluster.disconnect()]);
  }
}

/** @returns false when another process created them */
export async function createTopics(
  admin: Admin,
  settings: KafkaSettings,
  specs: readonly TopicSpec[],
): Promise<boolean> {
  return admin.createTopics({
    waitForLeaders: true,
    topics: specs.map(({ topic, partitions, config }) => ({
      topic: settings.prefix + topic,
      numPartitions: partitions,
      replicationFactor: settings.replicationFactor,
      configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
    })),
  });
}

async function createMissing(admin: Admin, settings: KafkaSettings): Promise<void> {
  const existing = new Set(await admin.listTopics());
  const missing = settings.topics.filter(({ topic }) => !existing.has(settings.prefix + topic));
  if (missing.length === 0) return;
  // Another process may have created them first: the next check compares them.
  await createTopics(admin, settings, missing);
}

/**
 * Waits until all partitions have leaders, within a time limit. Readers and writers of a partition without one wait later.
 *
 * @throws Error while a topic is missing
 */
async function awaitLeaders(cluster: RequestCluster, settings: KafkaSettings): Promise<Map<string, TopicState>> {
  const names = settings.topics.map(({ topic }) => settings.prefix + topic);
  for (const deadline = Date.now() + LEADERS_TIMEOUT_MS; ; await delay(LEADERS_POLL_MS)) {
    const states = await topicIdentities(cluster, names);
    const isComplete = names.every((name) => states.has(name));
    if (isComplete && [...states.values()].every(isLed)) return states;
    if (Date.now() < deadline) continue;
    if (isComplete) return states;
    throw new Error(`topics are missing: ${names.filter((name) => !states.has(name)).join(', ')}`);
  }
}

function isLed({ leaders }: TopicState): boolean {
  return leaders.every((leader) => leader >= 0);
}

/** Metadata name the leader of a new partition before it answers: until then readers would fail of NOT_LEADER. */
async function proveLeaders(admin: Admin, states: ReadonlyMap<string, TopicState>): Promise<void> {
  for (const [name, state] of states) if (isLed(state)) await admin.fetchTopicOffsets(name);
}

async function differences(admin: Admin, settings: KafkaSettings): Promise<string[]> {
  const names = settings.topics.map(({ topic }) => settings.prefix + topic);
  const { topics } = await admin.fetchTopicMetadata({ topics: names });
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: names.map((name) => ({ type: ConfigResourceTypes.TOPIC, name })),
  });
  return settings.topics.flatMap((spec) => {
    const name = settings.prefix + spec.topic;
    const partitions = topics.find((topic) => topic.name === name)?.partitions.length ?? 0;
    const entries = resources.find((resource) => resource.resourceName === name)?.configEntries ?? [];
    const config = new Map(entries.map((entry) => [entry.configName, entry.configValue]));
    return [...partitionProblem(name, partitions, spec), ...configProblems(name, config, spec)];
  });
}

function partitionProblem(name: string, partitions: number, spec: TopicSpec): string[] {
  return partitions === spec.partitions
    ? []
    : [`  ${name} has ${partitions} partitions, ${spec.partitions} are configured`];
}

function configProblems(name: string, config: ReadonlyMap<string, string>, spec: TopicSpec): string[] {
  return Object.entries(spec.config)
    .filter(([key, wanted]) => !isFulfilled(key, config.get(key), wanted))
    .map(
      ([key, wanted]) =>
        `  ${name} has ${key}=${config.get(key)}, ${MINIMUMS.has(key) ? 'at least ' : ''}${wanted} is needed`,
    );
}

function isFulfilled(key: string, actual: string | undefined, wanted: string): boolean {
  if (!MINIMUMS.has(key)) return actual === wanted;
  return actual === '-1' || Number(actual) >= Number(wanted);
}
