/*
 * An open transaction on `endpoints` (any client, up to 15 min): an endpoint created meanwhile answers 201, events 500 ms later answer 202 and are routed to nobody, for good; readiness is ok.
 * Put into test/e2e/ of a clone and run: npm test -- e2e found-open-transaction-on-endpoints
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Admin } from 'kafkajs';
import { kafkaClient } from '../../scripts/lib/kafka-client.js';
import { transactionalProducer } from '../support/transactions.js';
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

it('given an open transaction on endpoints, then a new endpoint gets its events at the latest when it has ended, or readiness says so', async () => {
  const producer = await transactionalProducer(cluster.kafka.brokers);
  const transaction = await producer.transaction();
  await transaction.send({ topic: 'endpoints', messages: [{ key: 'ep_zz', value: 'x' }] });
  const traffic = await OrderedTraffic.start(cluster, { resources: 10, rounds: 1 });
  await traffic.publish();
  await delay(20_000);
  const text = await ready('ingest');
  await transaction.abort();
  await delay(15_000);
  await producer.disconnect();
  traffic.close();
  expect({ accepted: traffic.accepted.size, text }).toEqual({ accepted: 10, text });
}, 120_000);
