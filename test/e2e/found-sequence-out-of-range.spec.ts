/*
 * One record on `endpoints`, the marker posthorn:sequence with the change 999999999999999: control answers 503 CONFIGURATION_AHEAD; after `reconcile --keep database` the next change gets 1000000000000000, 16 digits, which no reader understands: control writes every changed record again each half second, for ever, and its numbers are ignored.
 * Put into test/e2e/ of a clone and run: npm test -- e2e found-sequence-out-of-range
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

it('given a sequence marker at the limit of its digits, when it is reconciled, then control comes to rest', async () => {
  const producer = kafkaClient({ clientId: 'x', brokers: cluster.kafka.brokers, isQuiet: true }).producer();
  await producer.connect();
  const headers = { 'posthorn-change': '1\n999999999999999\nx\n1' };
  await producer.send({ topic: 'endpoints', messages: [{ key: 'posthorn:sequence', value: '{}', headers }] });
  await producer.disconnect();
  await delay(4_000);
  expect(await runScript('reconcile', cluster.env, ['--keep', 'database'])).toMatchObject({ code: 0 });
  await delay(4_000);
  await cluster.call('control', '/v1/endpoints', { body: { url: 'http://127.0.0.1:9/', event_types: ['zz.q'] } });
  await delay(5_000);
  const rewritten = () => cluster.metric(cluster.app('control'), 'posthorn_configuration_rewritten_total');
  const before = await rewritten();
  await delay(10_000);
  expect((await rewritten()) - before).toBe(0);
}, 120_000);
