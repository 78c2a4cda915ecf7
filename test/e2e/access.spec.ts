import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Kafka } from 'kafkajs';
import { generateApiKey } from '#common/api-keys/api-key.js';
import { startKafka } from '../../scripts/lib/kafka.mjs';
import { kafkaClient, keyedProducer } from '../../scripts/lib/kafka-client.js';
import { freePort } from '../../scripts/lib/ports.mjs';
import { startPostgres } from '../../scripts/lib/postgres.mjs';
import { AppProcesses } from '../support/app-processes.js';
import { appSettings } from '../support/cluster.js';
import { documentedAcls, runAcls } from '../support/kafka-acls.js';
import { runScript } from '../support/run-script.js';
import { TopicTail } from '../support/topic-tail.js';
import { until } from '../support/until.js';
import { useTraffic } from '../support/use-traffic.js';

/* The rights of docs/operating.md, on a broker that grants no others: the system works, and has no further rights. */

const PRINCIPALS = ['producer', 'ingest', 'dispatcher', 'retry-scheduler', 'control', 'replay', 'metrics', 'nobody'];
const password = randomBytes(12).toString('hex');
const login = (username: string) => ({ KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password });

const folder = mkdtempSync(join(tmpdir(), 'posthorn-access-'));
let kafka: Awaited<ReturnType<typeof startKafka>>;
let postgres: Awaited<ReturnType<typeof startPostgres>>;
let apps: AppProcesses;
let broker: string;
const traffic = useTraffic(() => apps);

beforeAll(async () => {
  const saslPort = await freePort();
  broker = `127.0.0.1:${saslPort}`;
  const users = Object.fromEntries([...PRINCIPALS, 'admin'].map((name) => [name, password]));
  [kafka, postgres] = await Promise.all([
    startKafka({ dir: join(folder, 'kafka'), port: await freePort(), sasl: { port: saslPort, users } }),
    startPostgres({ dir: join(folder, 'postgres'), port: await freePort(), isDurable: false }),
  ]);
  await runAcls(documentedAcls(), { folder, broker, password });
  const apiKey = generateApiKey().text;
  const shared = { ...process.env, ...appSettings([broker], postgres.url, apiKey) };
  const appOf = (name: string) => name.slice(0, name.lastIndexOf('-'));
  apps = new AppProcesses({ folder, envOf: (name) => ({ ...shared, ...login(appOf(name)) }), apiKey });
  await apps.add('control');
  await Promise.all([apps.add('ingest'), apps.add('dispatcher'), apps.add('retry-scheduler')]);
}, 300_000);

afterAll(async () => {
  await apps?.stop();
  await Promise.all([kafka?.stop(), postgres?.stop()]);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}, 60_000);

function as(username: string): Kafka {
  return kafkaClient({ clientId: username, brokers: [broker], isQuiet: true, env: login(username) });
}

/** @returns `refused`, `written`, or another error */
async function writeAs(username: string, topic: string): Promise<string> {
  const producer = keyedProducer(as(username), { retry: { retries: 0 } });
  await producer.connect();
  try {
    await producer.send({ topic, acks: -1, messages: [{ key: 'x', value: 'x' }] });
    return 'written';
  } catch (error) {
    // With the right to describe the topic, Kafka rejects the produce request; without it, the metadata request.
    return /not authorized|authorization failed/i.test(String(error)) ? 'refused' : String(error);
  } finally {
    await producer.disconnect();
  }
}

describe('the documented rights', () => {
  it('given an endpoint that fails at first, then events of both doors are retried and delivered', async () => {
    const seen = await traffic({ resources: 5, rounds: 2, failRate: 0.5 });
    await seen.publish();
    await seen.complete(60_000);
    const producer = keyedProducer(as('producer'));
    await producer.connect();
    const event = { id: 'evt-kafka', type: seen.eventType, resource_id: 'r', data: { number: 0 } };
    await producer.send({ topic: 'ingest', acks: -1, messages: [{ key: 'r', value: JSON.stringify(event) }] });
    await producer.disconnect();
    await until('it is delivered', () => seen.accepted.has('evt-kafka'));
  }, 120_000);

  it('given dead letters, then the operator and the API replay them', async () => {
    const retry_policy = { delays_s: [0.1], permanent_statuses: [503] };
    const seen = await traffic({ resources: 2, rounds: 1, endpoint: { retry_policy } });
    seen.isDown = true;
    await seen.publish();
    const letters = async () =>
      (await apps.call<{ items: { id: string }[] }>('control', `/v1/dead-letters?endpoint_id=${seen.endpointId}`))
        .items;
    await until('both are dead', async () => (await letters()).length === 2);
    seen.isDown = false;
    const [letter] = await letters();
    await apps.call('control', `/v1/dead-letters/${letter?.id}/replay`, { method: 'POST' });
    await until('one is delivered', () => seen.accepted.size === 1);
    const env = { KAFKA_BROKERS: broker, ...login('replay') };
    const replayed = await runScript('replay', env, ['--to', 'ingest', '--endpoint', seen.endpointId]);
    expect(replayed).toMatchObject({ code: 0, output: expect.stringContaining('2 copied to ingest') });
    await until('both are delivered', () => seen.accepted.size === 2);
  }, 120_000);

  it.each(['deliveries', 'api-keys', 'endpoints', 'dlq', 'attempts', 'retry-4s'])(
    'given a producer, then it cannot write to %s',
    async (topic) => {
      expect(await writeAs('producer', topic)).toBe('refused');
    },
  );

  it.each([
    { who: 'ingest', topic: 'api-keys' },
    { who: 'dispatcher', topic: 'endpoints' },
    { who: 'retry-scheduler', topic: 'attempts' },
    { who: 'replay', topic: 'api-keys' },
    { who: 'metrics', topic: 'ingest' },
    { who: 'nobody', topic: 'ingest' },
  ])('given $who, then it cannot write to $topic', async ({ who, topic }) => {
    expect(await writeAs(who, topic)).toBe('refused');
  });

  it('given a producer, then it cannot read the configuration', async () => {
    await expect(TopicTail.start(as('producer'), 'endpoints')).rejects.toThrow(/authori/i);
  }, 60_000);

  it('given the reader of metrics, then it sees ends and commits of all groups', async () => {
    const admin = as('metrics').admin();
    await admin.connect();
    const commits = await admin.fetchOffsets({ groupId: 'dispatcher', topics: ['deliveries'] });
    const ends = await admin.fetchTopicOffsets('deliveries');
    await admin.disconnect();
    expect({ commits: commits[0]?.partitions.length, ends: ends.length }).toEqual({ commits: 8, ends: 8 });
  });
});
