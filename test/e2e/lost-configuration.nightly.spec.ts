import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Admin } from 'kafkajs';
import { kafkaClient } from '../../scripts/lib/kafka-client.js';
import { Cluster } from '../support/cluster.js';
import { OrderedTraffic } from '../support/ordered-traffic.js';
import { transactionalProducer } from '../support/transactions.js';
import { until } from '../support/until.js';

const STALL_SECONDS = 10;
const COMPLETE_MS = 60_000;

let cluster: Cluster;
let admin: Admin;

beforeAll(async () => {
  cluster = await Cluster.start({ STALL_SECONDS: String(STALL_SECONDS) });
  await connectAdmin();
}, 240_000);

afterAll(async () => {
  await admin?.disconnect();
  await cluster?.stop();
}, 90_000);

async function connectAdmin(): Promise<void> {
  admin = kafkaClient({ clientId: 'outsider', brokers: cluster.kafka.brokers, isQuiet: true }).admin();
  await admin.connect();
}

async function expectAllDelivered(traffic: OrderedTraffic): Promise<void> {
  await traffic.complete(COMPLETE_MS);
  traffic.close();
  const stats = await cluster.call<{ total: number }>('control', '/v1/dead-letters/stats');
  expect({ dead: stats.total, disorder: traffic.disorder }).toEqual({ dead: 0, disorder: 0 });
}

describe('configuration that the topics lack', () => {
  it('given endpoints deleted while control is down, when ingest and dispatcher restart, then events wait for control', async () => {
    const traffic = await OrderedTraffic.start(cluster, { resources: 10, rounds: 1 });
    await traffic.publish();
    await traffic.complete();
    await cluster.app('control').server.stop();
    await cluster.app('dispatcher').server.stop();
    await traffic.publish();
    await admin.deleteTopics({ topics: ['endpoints'] });
    await until('the topic is made again', async () => (await admin.listTopics()).includes('endpoints'), 60_000);
    await cluster.app('ingest').server.stop();
    const started = Promise.all([cluster.app('ingest').server.start(), cluster.app('dispatcher').server.start()]);
    await Promise.all([
      cluster.untilReadinessSays('ingest', 'waits for control'),
      cluster.untilReadinessSays('dispatcher', 'waits for control'),
    ]);
    await traffic.publish();
    await cluster.app('control').server.start();
    await started;
    await expectAllDelivered(traffic);
  }, 240_000);

  it('given an open transaction on endpoints, then readiness names it, and events of other endpoints are delivered', async () => {
    const traffic = await OrderedTraffic.start(cluster, { resources: 10, rounds: 1 });
    const producer = await transactionalProducer(cluster.kafka.brokers);
    const transaction = await producer.transaction();
    await transaction.send({ topic: 'endpoints', messages: [{ key: 'ep_zz', value: 'x' }] });
    await traffic.publish();
    await Promise.all(
      (['ingest', 'dispatcher'] as const).map((app) =>
        cluster.untilReadinessSays(app, 'an open transaction has held 1 records of endpoints/'),
      ),
    );
    await expectAllDelivered(traffic);
    await transaction.abort();
    await producer.disconnect();
    await until('ingest is ready', async () => (await cluster.readiness('ingest')).includes('"status":"ok"'), 60_000);
  }, 240_000);

  it('given a new Kafka, when control starts last, then waiting deliveries wait for it', async () => {
    const traffic = await OrderedTraffic.start(cluster, { resources: 20, rounds: 2 });
    traffic.isDown = true;
    await traffic.publish();
    await until('every resource had an attempt', () => traffic.requests >= 20);
    // The projector stores the first attempts.
    await delay(2_000);
    const apps = [...cluster.processes.all()];
    await admin.disconnect();
    await Promise.all(apps.map(({ server }) => server.stop()));
    await cluster.wipeKafka();
    await connectAdmin();
    traffic.isDown = false;
    const started = apps.filter(({ app }) => app !== 'control').map(({ server }) => server.start());
    await Promise.all([
      cluster.untilReadinessSays('ingest', 'waits for control'),
      cluster.untilReadinessSays('dispatcher', 'waits for control'),
    ]);
    await cluster.app('control').server.start();
    await Promise.all(started);
    await expectAllDelivered(traffic);
  }, 240_000);
});
