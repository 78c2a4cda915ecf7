/*
 * One record on `endpoints`, a tombstone whose header posthorn-change has the version 999999999999999 (15 digits are read; versions are int32): the endpoint gets nothing more, control cannot write it again, a restarted control refuses every change, and `reconcile --keep database` fails with 22003.
 * Put into test/e2e/ of a clone and run: npm test -- e2e found-change-version-out-of-range
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Admin } from 'kafkajs';
import { kafkaClient } from '../../scripts/lib/kafka-client.js';
import { runScript } from '../support/run-script.js';
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

it('given a tombstone with a version beyond int32, then the endpoint stays, and configuration can be changed', async () => {
  const traffic = await OrderedTraffic.start(cluster, { resources: 10, rounds: 1 });
  await traffic.publish();
  await traffic.complete(30_000);
  const producer = kafkaClient({ clientId: 'x', brokers: cluster.kafka.brokers, isQuiet: true }).producer();
  await producer.connect();
  const headers = { 'posthorn-change': '1\n1\nx\n999999999999999' };
  await producer.send({ topic: 'endpoints', messages: [{ key: traffic.endpointId, value: null, headers }] });
  await producer.disconnect();
  await delay(5_000);
  await traffic.publish();
  await traffic.complete(15_000).catch(() => undefined);
  const accepted = traffic.accepted.size;
  await cluster.app('control').server.stop();
  await cluster.app('control').server.start();
  await delay(5_000);
  const body = { url: 'http://127.0.0.1:9/', event_types: ['zz.q'] };
  const create = () => cluster.call('control', '/v1/endpoints', { body }).then(() => 'created', String);
  const created = await create();
  const { code } = await runScript('reconcile', cluster.env, ['--keep', 'database']);
  await delay(5_000);
  const after = await create();
  traffic.close();
  expect({ accepted, created, code, after }).toEqual({ accepted: 20, created: 'created', code: 0, after: 'created' });
}, 240_000);
