import { rmSync } from 'node:fs';
import { kafkaClient } from '../../../scripts/lib/kafka-client.js';
import { runSql } from '../../../scripts/lib/postgres.mjs';
import { until } from '../../support/until.js';
import { readAllTopics } from '../harness/evidence.js';
import type { Fault, Scene } from './fault.js';

const UNREAD_MS = 3_000;
const PROJECTED_LIMIT_MS = 30_000;
/** Time for a stop of all apps, and the start of an empty broker. */
const BUDGETS = { stallMs: 120_000, healMs: 90_000 };
const WAITING_SQL = `SELECT (SELECT count(*) FROM parked_deliveries) + (SELECT count(*) FROM lane_rows WHERE attempt IS NOT NULL)
  + (SELECT count(*) FROM events e, unnest(e.endpoint_ids) x WHERE NOT EXISTS (
     SELECT FROM deliveries d WHERE d.id = delivery_id(e.tenant, e.id, x) AND d.accepted_at = e.accepted_at)) AS waiting`;

/**
 * Logs are replaced by empty ones, and PostgreSQL stays. Later records have another generation, so no other run may
 * follow.
 */
export const REPLACED_LOG_FAULTS = {
  'kafka-replaced': { inject: kafkaReplaced, budgets: BUDGETS, isLast: true },
  'topic-recreated': { inject: topicRecreated, budgets: BUDGETS, isLast: true },
} satisfies Record<string, Fault>;

/** All processes stop in order, and Kafka loses its data. */
async function kafkaReplaced(scene: Scene): Promise<void> {
  const { brokers, supervised, apps } = scene.system;
  await stopDispatchers(scene);
  for (const process of apps.all()) supervised.hold(process);
  await Promise.all(apps.all().map((process) => supervised.terminate(process)));
  const inFlight = await waiting(scene);
  scene.run.topicsBefore = await readAllTopics(scene.system);
  await scene.during({ kind: 'log_replaced', target: 'kafka', inFlight }, async () => {
    for (const { name } of brokers.servers) supervised.noteName(name, 'kafka', 'stopping');
    await Promise.all(brokers.servers.map((server) => server.stop()));
    for (const home of brokers.homes) rmSync(`${home}/data`, { recursive: true });
    await Promise.all(brokers.servers.map((server) => server.start()));
    for (const { name } of brokers.servers) supervised.noteName(name, 'kafka', 'ready');
    return brokers.servers.length;
  });
  scene.run.replaced = { topics: scene.run.topicsBefore.map(({ topic }) => topic), at: Date.now() };
  for (const process of apps.all()) supervised.release(process);
  await supervised.allReady();
}

/** The topic `deliveries` is recreated while no dispatcher runs. */
async function topicRecreated(scene: Scene): Promise<void> {
  const { supervised, apps, brokers } = scene.system;
  await stopDispatchers(scene);
  const routers = apps.all().filter(({ app }) => app === 'ingest');
  for (const router of routers) supervised.hold(router);
  await Promise.all(routers.map((router) => supervised.terminate(router)));
  const inFlight = await waiting(scene);
  scene.run.topicsBefore = await readAllTopics(scene.system);
  const admin = kafkaClient({ clientId: 'outsider', brokers: brokers.direct, isQuiet: true }).admin();
  await admin.connect();
  await scene.during({ kind: 'log_replaced', target: 'deliveries', inFlight }, async () => {
    await admin.deleteTopics({ topics: ['deliveries'] });
    await until('the topic is gone', async () => !(await admin.listTopics()).includes('deliveries'));
    return 1;
  });
  await admin.disconnect();
  scene.run.replaced = { topics: ['deliveries'], at: Date.now() };
  // The first dispatcher creates the topic.
  for (const process of apps.all()) supervised.release(process);
  await supervised.allReady();
}

/** Waits until deliveries are pending, and outcomes of attempts are projected. */
async function stopDispatchers(scene: Scene): Promise<void> {
  const { supervised, apps, brokers } = scene.system;
  const stopped = apps.all().filter(({ app }) => app === 'dispatcher' || app === 'retry-scheduler');
  for (const process of stopped) supervised.hold(process);
  await Promise.all(stopped.map((process) => supervised.terminate(process)));
  await scene.last(UNREAD_MS);
  const admin = kafkaClient({ clientId: 'outsider', brokers: brokers.direct, isQuiet: true }).admin();
  await admin.connect();
  const isProjected = async () => {
    const topics = await admin.fetchOffsets({ groupId: 'control', topics: ['attempts', 'dlq'] });
    for (const { topic, partitions } of topics) {
      const committed = new Map(partitions.map(({ partition, offset }) => [partition, Number(offset)]));
      const ends = await admin.fetchTopicOffsets(topic);
      if (ends.some(({ partition, high }) => Math.max(0, committed.get(partition) ?? 0) < Number(high))) return false;
    }
    return true;
  };
  await until('outcomes are projected', isProjected, PROJECTED_LIMIT_MS).finally(() => admin.disconnect());
}

async function waiting({ system }: Scene): Promise<number> {
  const [row] = await runSql(system.postgresUrl, WAITING_SQL);
  return Number(row?.waiting ?? 0);
}
