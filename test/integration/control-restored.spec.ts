import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { generateApiKey } from '#common/api-keys/api-key.js';
import { ConfigurationTable } from '#common/kafka/configuration-table.js';
import { kafkaClient } from '#common/kafka/connect.js';
import { Database } from '#common/postgres/database.js';
import { CHANGE_HEADER } from '#common/records/configuration-change.js';
import { API_KEYS_TOPIC, DELIVERIES_TOPIC, ENDPOINTS_TOPIC } from '#common/records/topics.js';
import { configurationAhead } from '../../apps/control/src/changes/metrics.js';
import { orphanedKeys } from '../../apps/control/src/configuration/metrics.js';
import { IncompleteTopicError, type Kept, reconcile } from '../../apps/control/src/configuration/reconcile.js';
import { ControlApp } from '../support/control-app.js';
import { recreateTopics } from '../support/recreate-topics.js';
import { restoreTables, saveTables } from '../support/saved-tables.js';
import '../support/quiet.js';
import { freshDatabase, freshTopicPrefix, type TestDatabase } from '../support/servers.js';
import { until } from '../support/until.js';

/** Objects that the tests change after the backup. */
interface Changed {
  readonly changed: string;
  readonly deleted: string;
  readonly created: string;
  readonly revokedKey: string;
  readonly newKey: string;
}

let server: TestDatabase;
let control: ControlApp;
const secretKeys = `k1:${Buffer.alloc(32, 1).toString('base64')}`;

const start = async (prefix: string, adminKey: string) => {
  control = await ControlApp.start({ databaseUrl: server.url, prefix, adminKey, secretKeys });
};
const createEndpoint = async (url: string): Promise<string> =>
  (await control.post('/v1/endpoints', { url, event_types: ['*'], description: url })).body.id;
const idOf = (key: string) => String(key.split('_')[1]);
const works = async (key: string) => (await control.get('/v1/endpoints', key)).status === 200;
const outboxIsEmpty = () =>
  until('the outbox is empty', async () => (await control.database.query('SELECT 1 FROM outbox')).length === 0);

/** Makes a backup, then changes of every kind, and restores the backup while control is stopped. */
async function restoreOlder(): Promise<Changed> {
  const [changed, deleted] = [
    await createEndpoint('http://127.0.0.1:9/a'),
    await createEndpoint('http://127.0.0.1:9/b'),
  ];
  const revokedKey = await control.keyFor('acme');
  await outboxIsEmpty();
  await saveTables(control.database);

  await control.patch(`/v1/endpoints/${changed}`, { url: 'http://127.0.0.1:9/newer', description: 'newer' });
  await control.post(`/v1/endpoints/${changed}/secret/rotate`, { overlap_s: 3_600 });
  await control.delete(`/v1/endpoints/${deleted}`);
  const created = await createEndpoint('http://127.0.0.1:9/c');
  await control.delete(`/v1/api-keys/${idOf(revokedKey)}`);
  const newKey = await control.keyFor('globex', ['read']);
  await outboxIsEmpty();

  const { settings, adminKey } = control;
  await control.stop();
  await restoreTables(server.url);
  await start(settings.prefix, adminKey);
  return { changed, deleted, created, revokedKey, newKey };
}

const keep = (kept: Kept, isDryRun = false) => reconcile(control.database, control.kafka, { keep: kept, isDryRun });
/** Runs `npm run reconcile` on the servers of the test. @returns its output */
const runCommand = async (...args: string[]): Promise<string> => {
  const env = {
    PATH: process.env.PATH,
    KAFKA_BROKERS: control.settings.brokers.join(','),
    KAFKA_TOPIC_PREFIX: control.settings.prefix,
    DATABASE_URL: server.url,
  };
  const { stdout } = await promisify(execFile)(process.execPath, ['scripts/reconcile.ts', ...args], { env });
  return stdout;
};
const mayChange = async () => {
  const answer = await control.post('/v1/endpoints', { url: 'http://127.0.0.1:9/', event_types: ['*'] });
  return answer.status === 201;
};

beforeAll(async () => {
  server = await freshDatabase();
  await start(freshTopicPrefix(), generateApiKey().text);
});
afterAll(async () => {
  await control.stop();
  await server.drop();
});

describe('a database restored from a backup', () => {
  it('given newer topics, then no older version is published and changes answer 503, until the topics are kept', async () => {
    const { changed, deleted, created, revokedKey, newKey } = await restoreOlder();

    const { body: health, status } = await control.get('/health/ready');
    expect({ status, text: health.checks.configuration }).toEqual({
      status: 200,
      text: expect.stringContaining('npm run reconcile'),
    });
    expect((await configurationAhead.get()).values).toMatchObject([{ value: 1 }]);
    const refused = await control.patch(`/v1/endpoints/${changed}`, { description: 'lost' });
    expect(refused).toMatchObject({ status: 503, body: { code: 'CONFIGURATION_AHEAD' } });
    for (const answer of [
      await control.post('/v1/api-keys', { scopes: ['read'] }),
      await control.delete(`/v1/api-keys/${idOf(newKey)}`),
      await control.post(`/v1/endpoints/${changed}/pause`),
      await control.delete(`/v1/endpoints/${changed}`),
    ]) {
      expect(answer.status).toBe(503);
    }
    // Other records than configuration leave the outbox, which shows that the relay has run.
    const deliveries = await control.follow(DELIVERIES_TOPIC);
    const { delivery_id } = (await control.post(`/v1/endpoints/${changed}/test`)).body;
    await until('the test event is sent', () =>
      deliveries.records.some(({ headers }) => String(headers.posthorn).includes(delivery_id)),
    );
    const endpoints = await control.table(ENDPOINTS_TOPIC);
    expect(endpoints.get(changed)).toMatchObject({ url: 'http://127.0.0.1:9/newer' });
    expect([endpoints.has(deleted), endpoints.has(created)]).toEqual([false, true]);
    expect([await works(revokedKey), await works(newKey)]).toEqual([false, true]);

    const printed = await runCommand('--keep', 'topics', '--dry-run');
    expect(printed).toContain('The topics have changes that the database lacks');
    expect(printed).toMatch(
      new RegExp(`^endpoints ${deleted}  only in the database .* → deleted from the database$`, 'm'),
    );
    expect(printed).toMatch(/nothing was changed \(--dry-run\)\.$/m);
    const dry = await keep('topics', true);
    const done = await keep('topics');
    expect(dry).toEqual(done);
    expect(done.wasAhead).toBe(true);
    const found = new Map(done.differences.map(({ key, kind, fields }) => [key, { kind, fields }]));
    expect(found.get(changed)).toMatchObject({
      kind: 'differs',
      fields: expect.arrayContaining(['url', 'description', 'secrets', 'version']),
    });
    expect(found.get(deleted)?.kind).toBe('only_in_database');
    expect(found.get(created)?.kind).toBe('only_on_topic');
    expect(found.get(idOf(revokedKey))?.kind).toBe('only_in_database');
    expect(found.get(idOf(newKey))?.kind).toBe('only_on_topic');

    await until('changes are taken again', mayChange);
    const shown = (await control.get(`/v1/endpoints/${changed}`)).body;
    expect(shown).toMatchObject({ url: 'http://127.0.0.1:9/newer', description: 'newer' });
    expect(shown.secrets).toHaveLength(2);
    expect((await control.get(`/v1/endpoints/${deleted}`)).status).toBe(404);
    expect((await control.get(`/v1/endpoints/${created}`)).body.description).toBe('http://127.0.0.1:9/c');
    const keys = (await control.get('/v1/api-keys?limit=200')).body.items.map(({ id }: { id: string }) => id);
    expect([keys.includes(idOf(revokedKey)), keys.includes(idOf(newKey))]).toEqual([false, true]);
    await outboxIsEmpty();
    expect((await keep('topics')).differences).toEqual([]);
  });

  it('given newer topics, when the database is kept, then the topics equal it, deletions included', async () => {
    const { changed, deleted, created, revokedKey, newKey } = await restoreOlder();
    expect((await control.patch(`/v1/endpoints/${changed}`, { description: 'lost' })).status).toBe(503);

    await keep('database');

    await until('changes are taken again', mayChange);
    await outboxIsEmpty();
    const endpoints = await control.table(ENDPOINTS_TOPIC);
    await until('the topic has the older state', () => {
      const isOld = JSON.stringify(endpoints.get(changed)).includes('http://127.0.0.1:9/a');
      return isOld && endpoints.has(deleted) && !endpoints.has(created);
    });
    await until('the keys are those of the backup', async () => (await works(revokedKey)) && !(await works(newKey)));
    expect((await keep('database')).differences).toEqual([]);
    // The state survives a restart: new versions are above those of the topics.
    const { settings, adminKey } = control;
    await control.stop();
    await start(settings.prefix, adminKey);
    expect(await mayChange()).toBe(true);
    const keys = await control.table(API_KEYS_TOPIC);
    expect([keys.has(idOf(revokedKey)), keys.has(idOf(newKey))]).toEqual([true, false]);
  });

  it('given as many changes after the restore as were lost, then the restore is still detected', async () => {
    const { settings, adminKey, database } = control;
    await outboxIsEmpty();
    await saveTables(database);
    await createEndpoint('http://127.0.0.1:9/lost');
    await outboxIsEmpty();
    await control.stop();
    await restoreTables(server.url);
    await start(freshTopicPrefix(), adminKey);
    // On other topics, without the lost change, another change gets its number.
    const other = await createEndpoint('http://127.0.0.1:9/other');
    await outboxIsEmpty();
    await control.stop();

    await start(settings.prefix, adminKey);

    expect((await control.delete(`/v1/endpoints/${other}`)).body.code).toBe('CONFIGURATION_AHEAD');
    await keep('topics');
    await until('changes are taken again', mayChange);
    expect((await control.get(`/v1/endpoints/${other}`)).status).toBe(404);
  });
});

describe('a topic that was made again', () => {
  it('given that control has not filled it, when the topics are kept, then nothing is deleted', async () => {
    const endpoint = await createEndpoint('http://127.0.0.1:9/kept');
    await outboxIsEmpty();
    const { settings, adminKey, kafka } = control;
    await control.stop();
    await recreateTopics(settings, [ENDPOINTS_TOPIC]);
    const database = new Database({ url: server.url, poolSize: 1, applicationName: 'test' });
    try {
      await expect(reconcile(database, kafka, { keep: 'topics', isDryRun: false })).rejects.toThrow(
        IncompleteTopicError,
      );
    } finally {
      await database.close();
    }
    await start(settings.prefix, adminKey);
    expect((await control.get(`/v1/endpoints/${endpoint}`)).status).toBe(200);
    const filled = new ConfigurationTable(control.kafka, { topic: ENDPOINTS_TOPIC, apply: () => undefined });
    await filled.startComplete();
    await filled.stop();
    expect((await keep('topics')).differences).toEqual([]);
  });
});

describe('topics that an earlier release has written', () => {
  it('given records without headers, then rows are published again with headers, orphans are reported, and no change is rejected', async () => {
    const endpoint = await createEndpoint('http://127.0.0.1:9/old');
    await outboxIsEmpty();
    const record = (await control.table(ENDPOINTS_TOPIC)).get(endpoint);
    const { copy: _copy, ...old } = { copy: undefined, ...record };
    await control.database.query(`UPDATE endpoints SET sequence = 0, change_id = ''`);
    const { adminKey } = control;
    const settings = { ...control.settings, prefix: freshTopicPrefix() };
    await control.stop();
    await kafkaClient(settings).ensureTopics();
    const producer = kafkaClient(settings).producer();
    await producer.connect();
    const stranger = { ...old, id: 'ep_stranger' };
    await producer.write([
      { topic: ENDPOINTS_TOPIC, key: endpoint, value: JSON.stringify(old) },
      { topic: ENDPOINTS_TOPIC, key: 'ep_stranger', value: JSON.stringify(stranger) },
    ]);
    await producer.close();

    await start(settings.prefix, adminKey);

    const topic = await control.follow(ENDPOINTS_TOPIC);
    await until('the row is published with its columns', () =>
      topic.records.some(({ key, value, headers }) => {
        const isWhole = headers[CHANGE_HEADER] !== undefined && String(value).includes('"copy"');
        return String(key) === endpoint && isWhole;
      }),
    );
    expect(await mayChange()).toBe(true);
    expect((await orphanedKeys.get()).values).toContainEqual(
      expect.objectContaining({ value: 1, labels: { topic: ENDPOINTS_TOPIC } }),
    );
    expect((await control.table(ENDPOINTS_TOPIC)).has('ep_stranger')).toBe(true);
  });
});
