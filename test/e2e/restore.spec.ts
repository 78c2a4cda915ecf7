import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { kafkaClient, keyedProducer } from '../../scripts/lib/kafka-client.mjs';
import { BaseBackup, WalArchive } from '../support/base-backup.js';
import { Cluster } from '../support/cluster.js';
import { accountOf, Load } from '../support/load.js';
import { always, type Hook, ok, Receiver } from '../support/receiver.js';
import { until } from '../support/until.js';

const START_LIMIT_MS = 240_000;
const TEST_LIMIT_MS = 300_000;
const QUIET_LIMIT_MS = 90_000;
const TYPE = 'invoice.paid';

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

/** A schedule on which nothing is given up within the test. */
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

/** Runs an npm script against the servers of the cluster. */
async function npm(script: string, ...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn('npm', ['run', '--silent', script, '--', ...args], { env: cluster.env });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}

async function restoreDatabase(backup: BaseBackup): Promise<void> {
  const apps = [...cluster.processes.all()];
  await Promise.all(apps.map(({ server }) => server.stop()));
  await cluster.postgres.stop();
  await backup.restore(join(cluster.folder, 'postgres', 'data'));
  await cluster.postgres.start();
  await cluster.app('control').server.start();
  await Promise.all(apps.filter(({ app }) => app !== 'control').map(({ server }) => server.start()));
}

describe('a database restored from a backup', () => {
  it(
    'given a minute of traffic since, when it is rebuilt, then nothing acknowledged is missing at any endpoint',
    async () => {
      const [healthy, failing, paused] = [receiver.hook(ok), receiver.hook(always(503)), receiver.hook(ok)];
      await newEndpoint(healthy);
      await newEndpoint(failing);
      const pausedId = await newEndpoint(paused);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      const load = new Load(doors, { resources: 8, everyMs: 100, typeOf: () => TYPE });
      await load.more(100);
      await cluster.call('control', `/v1/endpoints/${pausedId}/pause`, { method: 'POST' });
      await load.more(100);

      const data = join(cluster.folder, 'postgres', 'data');
      const backup = await BaseBackup.take(
        { url: cluster.postgres.url, data, archive },
        join(cluster.folder, 'backup'),
      );
      await load.more(300);
      await load.stop();
      await restoreDatabase(backup);
      const since = new Date(backup.startedAt - 60_000).toISOString();
      const dryRun = await npm('rebuild', '--since', since, '--dry-run');
      expect(dryRun).toMatchObject({ code: 0, output: expect.stringContaining('would be sent again') });
      const rebuilt = await npm('rebuild', '--since', since);
      expect(rebuilt).toMatchObject({ code: 0, output: expect.stringContaining('were sent again') });
      const again = await npm('rebuild', '--since', since);
      expect(again.output).toContain('0 deliveries were sent again');

      failing.script = ok;
      await cluster.call('control', `/v1/endpoints/${pausedId}/resume`, { method: 'POST' });
      const events = load.acknowledged;
      for (const hook of [healthy, failing, paused]) {
        await until('all arrive', () => accountOf(hook, events).missing.length === 0, QUIET_LIMIT_MS).catch(
          () => undefined,
        );
      }
      const seen = [healthy, failing, paused].map((hook) => accountOf(hook, events));
      expect(seen.map(({ missing, disorder }) => ({ missing, disorder }))).toEqual(
        seen.map(() => ({ missing: [], disorder: [] })),
      );
      for (const { output } of [dryRun, rebuilt]) expect(output).toMatch(/\d+ events/);
    },
    TEST_LIMIT_MS,
  );
});
