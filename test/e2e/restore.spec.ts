import { kafkaClient, keyedProducer } from '../../scripts/lib/kafka-client.js';
import { WalArchive } from '../support/base-backup.js';
import { Cluster } from '../support/cluster.js';
import { accountOf, Load } from '../support/load.js';
import { always, type Hook, ok, Receiver } from '../support/receiver.js';
import { restoreDatabase, takeBackup } from '../support/restored-database.js';
import { runScript } from '../support/run-script.js';
import { until } from '../support/until.js';

const START_LIMIT_MS = 240_000;
const TEST_LIMIT_MS = 300_000;
const QUIET_LIMIT_MS = 90_000;
const TYPE = 'invoice.paid';
/** Number of events: half a minute of traffic. */
const DURING_EVENTS = 2_000;

const archive = new WalArchive();
let cluster: Cluster;
let receiver: Receiver;
let producer: ReturnType<typeof keyedProducer>;

beforeAll(async () => {
  cluster = await Cluster.start({ SECRET_KEYS: `test:${Buffer.alloc(32, 7).toString('base64')}` }, archive.settings);
  receiver = await Receiver.start();
  producer = keyedProducer(kafkaClient({ clientId: 'restore', brokers: cluster.kafka.brokers }));
  await producer.connect();
}, START_LIMIT_MS);

afterAll(async () => {
  await producer?.disconnect();
  await cluster?.stop();
  await receiver?.stop();
  archive.remove();
  expect(receiver?.forged).toEqual([]);
}, START_LIMIT_MS);

/** A schedule on which no delivery is dead within the test. */
const PATIENT = { delays_s: [1, ...Array.from({ length: 40 }, () => 2)] };

async function newEndpoint(hook: Hook): Promise<string> {
  const created = await cluster.call<{ id: string; secret: string }>('control', '/v1/endpoints', {
    body: { url: hook.url, event_types: [TYPE], retry_policy: PATIENT, breaker: { threshold: 10_000 } },
  });
  hook.secret = created.secret;
  return created.id;
}

const doors = {
  publish: (event: object) => cluster.call('ingest', '/v1/events', { body: event }),
  publishByKafka: (event: { resource_id?: string }) =>
    producer.send({
      topic: 'ingest',
      acks: -1,
      messages: [{ key: event.resource_id ?? null, value: JSON.stringify(event) }],
    }),
};

const npm = (script: string, ...args: string[]) => runScript(script, cluster.env, args);

const path = (id: string) => `/v1/endpoints/${id}`;

async function answerTo(apiKey: string): Promise<number> {
  const headers = { authorization: `Bearer ${apiKey}` };
  return (await fetch(`${cluster.app('control').url}/v1/endpoints`, { headers })).status;
}

/** Endpoints and a key from before the backup, with their changes after it. */
async function newConfiguration() {
  const hooks = {
    healthy: receiver.hook(ok),
    failing: receiver.hook(always(503)),
    recovering: receiver.hook(always(503)),
    paused: receiver.hook(ok),
  };
  const late = receiver.hook(ok);
  await newEndpoint(hooks.healthy);
  await newEndpoint(hooks.failing);
  const changed = await newEndpoint(hooks.recovering);
  const paused = await newEndpoint(hooks.paused);
  const removed = await newEndpoint(receiver.hook(ok));
  const key = await cluster.call<{ id: string; key: string }>('control', '/v1/api-keys', {
    body: { tenant: 'default', scopes: ['read'] },
  });
  return { hooks, late, changed, paused, removed, key };
}

describe('a database restored from a backup', () => {
  it(
    'given traffic and changes since, when the database is reconciled and rebuilt, then no acknowledged event is missing',
    async () => {
      const { hooks, late, changed, paused, removed, key } = await newConfiguration();
      await until('the key works', async () => (await answerTo(key.key)) === 200);
      const load = new Load(doors, { resources: 8, everyMs: 100, typeOf: () => TYPE });
      await load.more(100);
      await cluster.call('control', `${path(paused)}/pause`, { method: 'POST' });
      await load.more(100);

      const backup = await takeBackup(cluster, archive);
      hooks.recovering.script = ok;
      await cluster.call('control', path(changed), { method: 'PATCH', body: { description: 'after the backup' } });
      await cluster.call('control', path(removed), { method: 'DELETE' });
      await cluster.call('control', `/v1/api-keys/${key.id}`, { method: 'DELETE' });
      const created = await newEndpoint(late);
      await until('the new endpoint is known', () => late.hits.length > 0);
      const before = load.acknowledged.length;
      await load.more(DURING_EVENTS);
      await load.stop();
      await restoreDatabase(cluster, backup);

      const patch = () => cluster.call('control', path(changed), { method: 'PATCH', body: { description: 'lost' } });
      await expect(patch()).rejects.toThrow('CONFIGURATION_AHEAD');
      expect(await npm('reconcile', '--keep', 'topics')).toMatchObject({ code: 0 });
      const since = new Date(backup.startedAt).toISOString();
      const dryRun = await npm('rebuild', '--since', since, '--dry-run');
      expect(dryRun).toMatchObject({ code: 0, output: expect.stringContaining('would be sent again') });
      const rebuilt = await npm('rebuild', '--since', since);
      expect(rebuilt).toMatchObject({ code: 0, output: expect.stringContaining('were sent again') });
      const again = await npm('rebuild', '--since', since);
      expect(again.output).toContain('0 deliveries were sent again');
      await until('no gap of the projection is left', async () =>
        (await cluster.readiness('control')).includes('"projector-gaps":"ok"'),
      );

      hooks.failing.script = ok;
      await cluster.call('control', `${path(paused)}/resume`, { method: 'POST' });
      const events = load.acknowledged;
      for (const hook of Object.values(hooks)) {
        await until('all arrive', () => accountOf(hook, events).missing.length === 0, QUIET_LIMIT_MS).catch(
          () => undefined,
        );
      }
      const seen = Object.entries(hooks).map(([name, hook]) => [name, accountOf(hook, events)] as const);
      expect(seen.map(([name, { missing, disorder }]) => ({ name, missing, disorder }))).toEqual(
        seen.map(([name]) => ({ name, missing: [], disorder: [] })),
      );
      expect(accountOf(late, events.slice(before)).missing).toEqual([]);
      expect(await cluster.call('control', path(changed))).toMatchObject({ description: 'after the backup' });
      expect(await cluster.call('control', path(created))).toMatchObject({ status: 'active' });
      await expect(cluster.call('control', path(removed))).rejects.toThrow('404');
      expect(await answerTo(key.key)).toBe(401);
      const [last] = events.slice(-1);
      const found = await cluster.call<{ id: string }>('control', `/v1/events/${last?.id}`);
      expect(found.id).toBe(last?.id);
    },
    TEST_LIMIT_MS,
  );
});
