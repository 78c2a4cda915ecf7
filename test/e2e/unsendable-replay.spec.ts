import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { CompressionTypes } from 'kafkajs';
import pg from 'pg';
import { encodeDelivery } from '#common/records/delivery-record.js';
import { encodeHeaders } from '#common/records/stored-headers.js';
import { kafkaClient } from '../../scripts/lib/kafka-client.js';
import { Cluster } from '../support/cluster.js';
import { runScript } from '../support/run-script.js';
import { until } from '../support/until.js';

/* A record of `dlq` that is small as a batch (gzip), and larger than `deliveries` takes as a record. */

let cluster: Cluster;
let database: pg.Client;
let endpointId: string;

beforeAll(async () => {
  cluster = await Cluster.start();
  database = new pg.Client({ connectionString: cluster.postgres.url });
  await database.connect();
  const body = { url: 'http://127.0.0.1:9/', event_types: ['zz.q'] };
  endpointId = (await cluster.call<{ id: string }>('control', '/v1/endpoints', { body })).id;
}, 240_000);

afterAll(async () => {
  await database?.end();
  await cluster?.stop();
}, 90_000);

const VALUE = 'a'.repeat(4_000_000);

function deadLetter(name: string) {
  const posthorn = encodeDelivery({
    ...{ deliveryId: `dlv_${name}`, eventId: `evt-${name}`, endpointId, tenant: 'default', eventType: 'zz.q' },
    ...{ attempt: 1, replay: 0, acceptedAt: Date.now(), returned: false, place: 1 },
    ...{ dueAt: undefined, tierUntil: undefined },
  });
  return {
    posthorn,
    'posthorn-dead-reason': 'max_retries',
    'posthorn-dead-at': new Date().toISOString(),
    'posthorn-dead-source': 'deliveries/0/1',
  };
}

interface Letter {
  readonly id: string;
  readonly delivery_id: string | null;
  readonly detail: string | null;
  readonly source: string;
}

const letters = async () => (await cluster.call<{ items: Letter[] }>('control', '/v1/dead-letters')).items;
const isOutboxEmpty = async () => (await database.query('SELECT 1 FROM outbox')).rowCount === 0;
const count = (name: string) => cluster.metric(cluster.app('control'), name);

it('given a dead letter that deliveries cannot take, when it is replayed, then the request is refused with the reason', async () => {
  const producer = kafkaClient({ clientId: 'outsider', brokers: cluster.kafka.brokers, isQuiet: true }).producer();
  await producer.connect();
  await producer.send({
    topic: 'dlq',
    compression: CompressionTypes.GZIP,
    messages: [{ key: `${endpointId}:r`, value: VALUE, headers: deadLetter('big') }],
  });
  await producer.disconnect();
  const big = async () => (await letters()).find(({ delivery_id }) => delivery_id === 'dlv_big');
  await until('the dead letter is listed', async () => (await big()) !== undefined);
  const { id } = (await big()) ?? { id: '' };

  const single = cluster.call('control', `/v1/dead-letters/${id}/replay`, { method: 'POST' });
  await expect(single).rejects.toThrow(/cannot be replayed: its record has 4\d{6} bytes/);
  const job = await cluster.call<{ id: string }>('control', '/v1/dead-letters/replay', { body: {} });
  const state = async () => cluster.call<{ state: string; skipped: number }>('control', `/v1/recoveries/${job.id}`);
  await until('the bulk replay is over', async () => (await state()).state === 'done');
  expect(await state()).toMatchObject({ skipped: 1 });
  expect(await isOutboxEmpty()).toBe(true);
  expect(await count('posthorn_replays_refused_total')).toBe(2);

  const { code, output } = await runScript('replay', cluster.env, ['--to', 'deliveries']);
  expect(code).toBe(0);
  expect(output).toContain('1 are too large for deliveries and stay in dlq');
}, 120_000);

it('given a row of the outbox that Kafka cannot take, then it becomes a dead letter, and the others are written', async () => {
  await database.query('INSERT INTO outbox (topic, key, value, headers) VALUES ($1, $2, $3, $4)', [
    'deliveries',
    Buffer.from(`${endpointId}:r`),
    Buffer.from(VALUE),
    JSON.stringify(encodeHeaders(deadLetter('stored'))),
  ]);
  await cluster.call('control', '/v1/api-keys', { body: { tenant: 'default', scopes: ['write'] } });
  await until('the outbox is empty', isOutboxEmpty);
  expect(await count('posthorn_outbox_set_aside_total')).toBe(1);
  const setAside = async () => (await letters()).find(({ source }) => source.startsWith('outbox/'));
  await until('the dead letter is listed', async () => (await setAside()) !== undefined);
  expect((await setAside())?.detail).toMatch(/a record for deliveries: it has 4\d{6} bytes/);
}, 120_000);
