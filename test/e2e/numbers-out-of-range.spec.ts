/*
 * One record on `endpoints`, the marker posthorn:generation:ingest with the generation 5000 (positions end at 908): from its next take-over on the router reads nothing, "generation.unknown: there is no position for offset 0 of generation 5000" is repeated for ever, and the number is stored in log_generations, so that nothing heals it.
 * Put into test/e2e/ of a clone and run: npm test -- e2e found-generation-marker-out-of-range
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Admin } from 'kafkajs';
import { kafkaClient } from '../../scripts/lib/kafka-client.js';
import pg from 'pg';
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

it('given a generation marker beyond the range of positions, then events are delivered after a restart of ingest', async () => {
  const traffic = await OrderedTraffic.start(cluster, { resources: 10, rounds: 1 });
  await traffic.publish();
  await traffic.complete(30_000);
  const client = new pg.Client({ connectionString: cluster.postgres.url });
  await client.connect();
  const { rows } = await client.query(`SELECT topic_id, partitions FROM log_generations WHERE topic = 'ingest'`);
  await client.end();
  const { topic_id, partitions } = rows[0];
  const value = JSON.stringify({ v: 1, topic: 'ingest', topic_id, partitions, generation: 5_000 });
  const producer = kafkaClient({ clientId: 'x', brokers: cluster.kafka.brokers, isQuiet: true }).producer();
  await producer.connect();
  await producer.send({ topic: 'endpoints', messages: [{ key: 'posthorn:generation:ingest', value }] });
  await producer.disconnect();
  await delay(3_000);
  await cluster.app('ingest').server.stop();
  await cluster.app('ingest').server.start();
  await traffic.publish(); // 202 each
  await traffic.complete(25_000).catch(() => undefined);
  const text = await ready('ingest');
  traffic.close();
  expect({ accepted: traffic.accepted.size, text }).toEqual({ accepted: 20, text });
}, 180_000);
