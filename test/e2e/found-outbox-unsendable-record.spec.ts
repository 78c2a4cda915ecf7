/*
 * A record in `dlq` that is small as a batch (gzip) and 4 MB as a record is projected as a dead letter. Its replay by the API, single or bulk, is owed to `deliveries`, which refuses it as too large: the relay repeats its whole page for ever (about ten warn lines a second), so every other owed record of the page is written again and again and never deleted, and behind 500 owed rows nothing comes out.
 * Put into test/e2e/ of a clone and run: npm test -- e2e found-outbox-unsendable-record
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Admin } from 'kafkajs';
import { kafkaClient } from '../../scripts/lib/kafka-client.js';
import { CompressionTypes } from 'kafkajs';
import pg from 'pg';
import { encodeDelivery } from '#common/records/delivery-record.js';
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

it('given a dead letter that deliveries cannot take, when it is replayed, then the outbox empties', async () => {
  const traffic = await OrderedTraffic.start(cluster, { resources: 10, rounds: 1 });
  const acceptedAt = Date.now();
  const posthorn = encodeDelivery({
    deliveryId: 'dlv_big', eventId: 'evt-big', endpointId: traffic.endpointId, tenant: 'default',
    eventType: traffic.eventType, attempt: 1, replay: 0, acceptedAt, returned: false, place: 1,
    dueAt: undefined, tierUntil: undefined,
  });
  const headers = {
    posthorn,
    'posthorn-dead-reason': 'max_retries',
    'posthorn-dead-at': new Date().toISOString(),
    'posthorn-dead-source': 'deliveries/0/1',
  };
  const producer = kafkaClient({ clientId: 'x', brokers: cluster.kafka.brokers, isQuiet: true }).producer();
  await producer.connect();
  await producer.send({
    topic: 'dlq',
    compression: CompressionTypes.GZIP,
    messages: [{ key: `${traffic.endpointId}:r`, value: 'a'.repeat(4_000_000), headers }],
  });
  await producer.disconnect();
  await delay(5_000);
  const { items } = await cluster.call<{ items: { id: string }[] }>('control', '/v1/dead-letters');
  const replay = { method: 'POST' };
  await cluster.call('control', `/v1/dead-letters/${items[0]?.id}/replay`, replay).catch(() => undefined);
  await cluster.call('control', '/v1/api-keys', { body: { tenant: 'default', scopes: ['write'] } });
  await delay(20_000);
  const client = new pg.Client({ connectionString: cluster.postgres.url });
  await client.connect();
  const { rows } = await client.query('SELECT topic, length(value) AS bytes FROM outbox ORDER BY seq');
  await client.end();
  traffic.close();
  expect(rows).toEqual([]);
}, 120_000);
