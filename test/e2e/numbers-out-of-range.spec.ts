import { afterAll, beforeAll, expect, it } from '@jest/globals';
import pg from 'pg';
import { kafkaClient } from '../../scripts/lib/kafka-client.js';
import { Cluster } from '../support/cluster.js';
import { OrderedTraffic } from '../support/ordered-traffic.js';
import { runScript } from '../support/run-script.js';
import { until } from '../support/until.js';

/*
 * Records of `endpoints`, which anybody with write rights may write, with numbers that cannot be stored, or from which
 * control could not count on. Each is ignored, and control writes the good record again, once.
 */

let cluster: Cluster;
let traffic: OrderedTraffic;

beforeAll(async () => {
  cluster = await Cluster.start();
  traffic = await OrderedTraffic.start(cluster, { resources: 10, rounds: 1 });
}, 240_000);

afterAll(async () => {
  traffic?.close();
  await cluster?.stop();
}, 90_000);

const NEW_ENDPOINT = { url: 'http://127.0.0.1:9/', event_types: ['zz.q'] };
const BEYOND = 999_999_999_999_999;

async function write(message: { key: string; value: string | null; headers?: Record<string, string> }): Promise<void> {
  const producer = kafkaClient({ clientId: 'outsider', brokers: cluster.kafka.brokers, isQuiet: true }).producer();
  await producer.connect();
  await producer.send({ topic: 'endpoints', messages: [message] });
  await producer.disconnect();
}

const ignored = (app: 'ingest' | 'dispatcher' | 'control') =>
  cluster.metric(cluster.app(app), 'posthorn_ignored_configuration_records_total');
const rewritten = () => cluster.metric(cluster.app('control'), 'posthorn_configuration_rewritten_total');

/** Writes a record that every reader must ignore, and waits until control has written the good one again. */
async function writeStrange(message: Parameters<typeof write>[0]): Promise<void> {
  const apps = ['ingest', 'dispatcher', 'control'] as const;
  const before = await Promise.all([...apps.map(ignored), rewritten()]);
  await write(message);
  await until('the record is ignored, and the good one written again', async () => {
    const after = await Promise.all([...apps.map(ignored), rewritten()]);
    return after.every((count, index) => count > (before[index] ?? 0));
  });
}

async function restart(app: 'ingest' | 'control'): Promise<void> {
  await cluster.app(app).server.stop();
  await cluster.app(app).server.start();
}

/** Counts what control writes again in 5 s in which nothing happens. */
async function writtenAtRest(): Promise<number> {
  const before = await rewritten();
  const end = Date.now() + 5_000;
  await until('5 s have passed', () => Date.now() > end);
  return (await rewritten()) - before;
}

it('given a tombstone with a version beyond int32, then the endpoint stays, and configuration can be changed', async () => {
  await traffic.publish();
  await traffic.complete(30_000);
  await writeStrange({
    key: traffic.endpointId,
    value: null,
    headers: { 'posthorn-change': `1\n1\nx\n${BEYOND}` },
  });
  await traffic.publish();
  await traffic.complete(30_000);
  await restart('control');
  await cluster.call('control', '/v1/endpoints', { body: NEW_ENDPOINT });
  expect(await runScript('reconcile', cluster.env, ['--keep', 'database'])).toMatchObject({ code: 0 });
  await cluster.call('control', '/v1/endpoints', { body: NEW_ENDPOINT });
}, 180_000);

it.each([
  { given: 'of the most digits that are read', sequence: BEYOND, isAdopted: false },
  { given: 'at the end of its range', sequence: 1_000_000_000, isAdopted: true },
])(
  'given a sequence marker $given, then after reconcile control comes to rest',
  async ({ sequence, isAdopted }) => {
    const marker = { key: 'posthorn:sequence', value: '{}', headers: { 'posthorn-change': `1\n${sequence}\nx\n1` } };
    if (isAdopted) {
      await write(marker);
      const isAhead = () => cluster.metric(cluster.app('control'), 'posthorn_configuration_ahead');
      await until('control sees a restored database', async () => (await isAhead()) === 1);
    } else await writeStrange(marker);
    expect(await runScript('reconcile', cluster.env, ['--keep', 'database'])).toMatchObject({ code: 0 });
    await until('configuration can be changed', () =>
      cluster.call('control', '/v1/endpoints', { body: NEW_ENDPOINT }).then(
        () => true,
        () => false,
      ),
    );
    expect(await writtenAtRest()).toBe(0);
    await traffic.publish();
    await traffic.complete(30_000);
  },
  120_000,
);

it('given a generation marker beyond the range of positions, then events are delivered after a restart of ingest', async () => {
  const client = new pg.Client({ connectionString: cluster.postgres.url });
  await client.connect();
  const { rows } = await client.query(`SELECT topic_id, partitions FROM log_generations WHERE topic = 'ingest'`);
  await client.end();
  const value = JSON.stringify({ v: 1, topic: 'ingest', ...rows[0], generation: 5_000 });
  await writeStrange({ key: 'posthorn:generation:ingest', value });
  await restart('ingest');
  await traffic.publish();
  await traffic.complete(30_000);
  expect(await writtenAtRest()).toBe(0);
}, 180_000);
