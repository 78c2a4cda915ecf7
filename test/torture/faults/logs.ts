import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Admin } from 'kafkajs';
import { kafkaClient } from '../../../scripts/lib/kafka-client.js';
import { until } from '../../support/until.js';
import { readAllTopics } from '../harness/evidence.js';
import type { Fault, Scene } from './fault.js';

const TIER = 'retry-4s';
const GROUP = 'retry-scheduler';
/** Share of failed attempts of an endpoint, while the tier fills. */
const FAILING_RATE = 0.4;
const LEAST_LOST = 20;
const DRAIN_LIMIT_MS = 30_000;
const BACK_LIMIT_MS = 20_000;
const AFTER_MS = 2_000;
const GROWN = ['ingest', 'deliveries', 'attempts', 'retry-4s', 'dlq'];
/** Time until every group has joined for the added partitions. */
const JOIN_MS = 8_000;
/** Other topics must continue while one is missing. */
const STALL_MS = 8_000;

/** Faults of deleted and truncated logs. */
export const LOG_FAULTS = {
  'retry-topic-gone': { budgets: { stallMs: STALL_MS }, inject: retryTopicGone },
  'log-truncated': { inject: logTruncated },
  'partitions-added': { inject: partitionsAdded, isLast: true },
} satisfies Record<string, Fault>;

/**
 * An empty tier is deleted, and endpoints fail again at once. Their retries wait until the apps have recreated the
 * topic. All other deliveries continue.
 */
async function retryTopicGone(scene: Scene): Promise<void> {
  const admin = await adminOf(scene);
  await drainTier(scene, admin);
  scene.run.topicsBefore = await readAllTopics(scene.system);
  await scene.during({ kind: 'new_log', target: TIER }, async () => {
    await admin.deleteTopics({ topics: [TIER] });
    await until('the topic is gone', async () => !(await admin.listTopics()).includes(TIER));
    await flakyFails(scene, true);
    await until('the topic is made again', async () => (await admin.listTopics()).includes(TIER), BACK_LIMIT_MS);
    await until('retries come through it', async () => (await endOf(admin).catch(() => 0)) > 0, BACK_LIMIT_MS);
    return 1;
  });
  await scene.last(AFTER_MS);
  await admin.disconnect();
}

/**
 * Another operator adds a partition to topics while deliveries wait. The producers of the apps keep to the configured
 * number. No other run may follow: the apps do not start with another number.
 */
async function partitionsAdded(scene: Scene): Promise<void> {
  const admin = await adminOf(scene);
  await flakyFails(scene, true);
  await scene.last(AFTER_MS);
  await scene.during({ kind: 'partitions_added', target: 'deliveries' }, async () => {
    const counts = await Promise.all(GROWN.map(async (topic) => (await admin.fetchTopicOffsets(topic)).length));
    const topicPartitions = GROWN.map((topic, index) => ({ topic, count: (counts[index] ?? 0) + 1 }));
    await admin.createPartitions({ topicPartitions });
    await scene.last(AFTER_MS + JOIN_MS);
    return GROWN.length;
  });
  await flakyFails(scene, false);
  await admin.disconnect();
}

/** The tier loses a tail that was read. New retries get the offsets of the lost ones, and higher ones. */
async function logTruncated(scene: Scene): Promise<void> {
  const admin = await adminOf(scene);
  const [broker] = scene.system.brokers.servers;
  if (broker === undefined) throw new Error('there is no broker');
  const data = join(dirname(broker.logFile), 'data');
  const copy = join(dirname(broker.logFile), 'copy');
  await withBrokerStopped(scene, broker, () => copyTier(data, copy));
  await flakyFails(scene, true);
  const begun = await endOf(admin);
  const hasFilled = async () => (await endOf(admin).catch(() => begun)) - begun >= LEAST_LOST;
  await until('the tier has records to lose', hasFilled, BACK_LIMIT_MS);
  await drainTier(scene, admin);
  const lost = (await endOf(admin)) - begun;
  scene.run.topicsBefore = await readAllTopics(scene.system);
  await scene.during({ kind: 'new_log', target: TIER, inFlight: lost }, async () => {
    const partitions = await withBrokerStopped(scene, broker, () => copyTier(copy, data));
    await until('commits fit the log again', async () => (await behind(admin).catch(() => 1)) === 0, BACK_LIMIT_MS);
    return partitions;
  });
  await flakyFails(scene, true);
  await until(
    'the log grows past what was lost',
    async () => (await endOf(admin).catch(() => 0)) > begun + lost,
    BACK_LIMIT_MS,
  );
  await scene.last(AFTER_MS);
  await admin.disconnect();
}

async function withBrokerStopped(
  { system: { supervised } }: Scene,
  broker: Scene['system']['brokers']['servers'][number],
  work: () => number,
): Promise<number> {
  supervised.noteName(broker.name, 'kafka', 'stopping');
  await broker.stop();
  supervised.noteName(broker.name, 'kafka', 'stopped');
  const partitions = work();
  supervised.noteName(broker.name, 'kafka', 'started');
  await broker.start();
  supervised.noteName(broker.name, 'kafka', 'ready');
  return partitions;
}

/** @returns number of copied partitions */
function copyTier(from: string, to: string): number {
  mkdirSync(to, { recursive: true });
  const names = readdirSync(from).filter((name) => name.startsWith(`${TIER}-`));
  for (const name of names) {
    rmSync(join(to, name), { recursive: true, force: true });
    cpSync(join(from, name), join(to, name), { recursive: true });
  }
  return names.length;
}

function flakyFails({ run: { receiver, endpoints }, random }: Scene, isFailing: boolean): Promise<void> {
  const seed = random.pick(1_000_000);
  return receiver.behave(
    endpoints.flaky.hook,
    isFailing ? { kind: 'failing', rate: FAILING_RATE, seed } : { kind: 'healthy' },
  );
}

/** Stops failures until every record of the tier is finished and committed. */
async function drainTier(scene: Scene, admin: Admin): Promise<void> {
  await flakyFails(scene, false);
  const { receiver, endpoints } = scene.run;
  await receiver.behave(endpoints.down.hook, { kind: 'healthy' });
  await until('the tier is empty', async () => (await behind(admin).catch(() => 1)) === 0, DRAIN_LIMIT_MS);
}

/** Number of the tier's partitions whose commit is below the end. */
async function behind(admin: Admin): Promise<number> {
  const [committed] = await admin.fetchOffsets({ groupId: GROUP, topics: [TIER] });
  const offsets = new Map(committed?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
  const ends = await admin.fetchTopicOffsets(TIER);
  return ends.filter(({ partition, high }) => Math.max(0, offsets.get(partition) ?? 0) !== Number(high)).length;
}

async function endOf(admin: Admin): Promise<number> {
  const ends = await admin.fetchTopicOffsets(TIER);
  return ends.reduce((sum, { high }) => sum + Number(high), 0);
}

async function adminOf({ system }: Scene): Promise<Admin> {
  const kafka = kafkaClient({ clientId: 'outsider', brokers: system.brokers.direct, isQuiet: true });
  const admin = kafka.admin();
  await admin.connect();
  return admin;
}
