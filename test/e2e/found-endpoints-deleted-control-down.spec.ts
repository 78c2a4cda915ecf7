/*
 * The topic `endpoints` is deleted while control is down, then ingest and dispatcher restart: events that are acknowledged go to nobody (endpoint_ids []), what waited in `deliveries` is dead ("the endpoint does not exist"), readiness is ok.
 * Put into test/e2e/ of a clone and run: npm test -- e2e found-endpoints-deleted-control-down
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

it('given endpoints deleted while control is down, when ingest and dispatcher restart, then nothing acknowledged is lost', async () => {
  const traffic = await OrderedTraffic.start(cluster, { resources: 10, rounds: 1 });
  await traffic.publish();
  await traffic.complete(30_000);
  await cluster.app('control').server.stop();
  await cluster.app('dispatcher').server.stop();
  await traffic.publish(); // 10 wait in deliveries
  await delay(2_000);
  await admin.deleteTopics({ topics: ['endpoints'] });
  await delay(8_000); // ingest makes it again
  await cluster.app('ingest').server.stop();
  const started = Promise.all([cluster.app('ingest').server.start(), cluster.app('dispatcher').server.start()]);
  await Promise.race([started, delay(25_000)]);
  await Promise.race([traffic.publish(), delay(20_000)]); // 202 each
  await delay(5_000);
  await cluster.app('control').server.start();
  await delay(30_000);
  const dead = await cluster.call<{ total: number }>('control', '/v1/dead-letters/stats');
  expect({ accepted: traffic.accepted.size, dead: dead.total }).toEqual({ accepted: 30, dead: 0 });
}, 240_000);
