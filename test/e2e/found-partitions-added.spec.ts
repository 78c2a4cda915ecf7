/*
 * kafka-topics --alter --partitions 9 on `deliveries` while the apps run (LOG_PARTITIONS is 8): deliveries of lanes that wait are swallowed, order breaks, readiness stays ok, nothing exits.
 * Put into test/e2e/ of a clone and run: npm test -- e2e found-partitions-added
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Admin } from 'kafkajs';
import { kafkaClient } from '../../scripts/lib/kafka-client.js';
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

it('given a partition more in deliveries while lanes wait, then nothing is lost or out of order, or readiness says what is wrong', async () => {
  const traffic = await OrderedTraffic.start(cluster, { resources: 60, rounds: 20, failRate: 0.2, roundMs: 500 });
  const published = traffic.publish();
  await delay(3_000);
  await admin.createPartitions({ topicPartitions: [{ topic: 'deliveries', count: 9 }] });
  await published;
  await traffic.complete(90_000).catch(() => undefined);
  const seen = { missing: traffic.published - traffic.accepted.size, disorder: traffic.disorder };
  const text = await ready('dispatcher');
  traffic.close();
  expect({ ...seen, text }).toEqual({ missing: 0, disorder: 0, text });
}, 300_000);
