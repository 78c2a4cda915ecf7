/*
 * Kafka is empty, PostgreSQL is kept, and control starts more than two minutes after the others: all that PostgreSQL knew as waiting is dead ("the endpoint does not exist"), readiness of the dispatcher is ok throughout.
 * Put into test/e2e/ of a clone and run: npm test -- e2e found-control-late-after-kafka-loss
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Admin } from 'kafkajs';
import { kafkaClient } from '../../scripts/lib/kafka-client.js';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
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

it('given a new Kafka and a control that starts 150 s late, then what waited is delivered', async () => {
  const traffic = await OrderedTraffic.start(cluster, { resources: 20, rounds: 2 });
  traffic.isDown = true;
  await traffic.publish();
  await delay(4_000);
  const apps = [...cluster.processes.all()];
  await admin.disconnect();
  await Promise.all(apps.map(({ server }) => server.stop()));
  await cluster.kafka.stop();
  rmSync(join(cluster.folder, 'kafka', 'data'), { recursive: true });
  await cluster.kafka.start();
  await admin.connect();
  traffic.isDown = false;
  await Promise.all(apps.filter(({ app }) => app !== 'control').map(({ server }) => server.start()));
  await delay(150_000);
  const text = await ready('dispatcher');
  await cluster.app('control').server.start();
  await delay(40_000);
  const dead = await cluster.call<{ total: number }>('control', '/v1/dead-letters/stats');
  traffic.close();
  expect({ accepted: traffic.accepted.size, dead: dead.total, text }).toEqual({ accepted: 40, dead: 0, text });
}, 400_000);
