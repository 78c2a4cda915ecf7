/*
 * A plain consumer joins the group `router` (or `dispatcher`) and commits nothing: its partitions stand still, and no readiness, stall metric or log line of ours says so.
 * Put into test/e2e/ of a clone and run: npm test -- e2e found-stranger-in-group
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Admin } from 'kafkajs';
import { kafkaClient } from '../../scripts/lib/kafka-client.js';
import { Kafka, logLevel } from 'kafkajs';
import { Cluster } from '../support/cluster.js';
import { OrderedTraffic } from '../support/ordered-traffic.js';

let cluster: Cluster;
let admin: Admin;

beforeAll(async () => {
  cluster = await Cluster.start({ STALL_SECONDS: '15' });
  admin = kafkaClient({ clientId: 'outsider', brokers: cluster.kafka.brokers, isQuiet: true }).admin();
  await admin.connect();
}, 240_000);

afterAll(async () => {
  await admin?.disconnect();
  await cluster?.stop();
}, 90_000);

async function ready(app: 'ingest' | 'dispatcher' | 'control'): Promise<string> {
  return (await fetch(`${cluster.app(app).url}/health/ready`)).text();
}

it.each([
  ['router', 'ingest', 'ingest'],
  ['dispatcher', 'deliveries', 'dispatcher'],
] as const)('given a stranger in the group %s, then readiness names its partitions within 90 s', async (groupId, topic, app) => {
  const traffic = await OrderedTraffic.start(cluster, { resources: 40, rounds: 2 });
  const stranger = new Kafka({ clientId: 'x', brokers: cluster.kafka.brokers, logLevel: logLevel.NOTHING }).consumer({ groupId });
  await stranger.connect();
  await stranger.subscribe({ topics: [topic] });
  void stranger.run({ autoCommit: false, eachMessage: async () => undefined });
  await delay(12_000);
  await traffic.publish();
  await delay(60_000);
  const text = await ready(app);
  const held = traffic.published - traffic.accepted.size;
  const stalled = await cluster.metric(cluster.app(app), 'posthorn_consumer_stalled_partitions');
  await stranger.disconnect();
  traffic.close();
  expect(held).toBeGreaterThan(0);
  expect(text).toContain('stood still');
  expect(stalled).toBeGreaterThan(0);
}, 180_000);

it('given a stranger that commits (the default of every client), then what it took is delivered when it has left', async () => {
  const traffic = await OrderedTraffic.start(cluster, { resources: 40, rounds: 2 });
  const stranger = new Kafka({ clientId: 'x', brokers: cluster.kafka.brokers, logLevel: logLevel.NOTHING }).consumer({ groupId: 'router' });
  await stranger.connect();
  await stranger.subscribe({ topics: ['ingest'] });
  void stranger.run({ eachMessage: async () => undefined });
  await delay(12_000);
  await traffic.publish();
  await delay(15_000);
  await stranger.disconnect();
  await delay(20_000);
  traffic.close();
  expect(traffic.accepted.size).toBe(traffic.published);
}, 120_000);
