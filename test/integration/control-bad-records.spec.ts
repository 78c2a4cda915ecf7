import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { generateApiKey, hashApiKey } from '#common/api-keys/api-key.js';
import { ConfigurationTable, UnsignedRecordsError } from '#common/kafka/configuration-table.js';
import { kafkaClient } from '#common/kafka/connect.js';
import { ignoredConfigurationRecords } from '#common/kafka/port/metrics.js';
import { CHANGE_HEADER } from '#common/records/configuration-change.js';
import { MAX_VERSION } from '#common/records/limits.js';
import { SEQUENCE_MARKER } from '#common/records/marker.js';
import type { InRecord, OutRecord } from '#common/records/record.js';
import { API_KEYS_TOPIC, ENDPOINTS_TOPIC } from '#common/records/topics.js';
import { RecordSigner, RecordVerifier, SIGNATURE_HEADER } from '#common/security/record-signature.js';
import { compact } from '../support/compaction.js';
import { ControlApp } from '../support/control-app.js';
import type { RecordingConsumer } from '../support/kafka-port/recording-consumer.js';
import '../support/quiet.js';
import { freshDatabase, freshTopicPrefix, type TestDatabase } from '../support/servers.js';
import { until } from '../support/until.js';

const signingKey = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const own = signingKey('own');
const prefix = freshTopicPrefix();
const adminKey = generateApiKey().text;
const secretKeys = `k1:${Buffer.alloc(32, 1).toString('base64')}`;
/** A sequence out of range. */
const BEYOND = '1\n999999999999999\nx\n1';
/** Limit for a rewrite: one second is promised, with a margin for a busy machine. */
const REWRITE_MS = 3_000;

let server: TestDatabase;
let control: ControlApp;
let log: RecordingConsumer;
let endpoint: string;
let key: string;
let revoked: string;

const start = async (env: NodeJS.ProcessEnv = {}) => {
  const all = { CONFIG_SIGNING_KEY: own, ...env };
  control = await ControlApp.start({ databaseUrl: server.url, prefix, adminKey, secretKeys, env: all });
  log = await control.follow(ENDPOINTS_TOPIC, API_KEYS_TOPIC);
};
const idOf = (text: string) => String(text.split('_')[1]);
const works = async (text: string) => (await control.get('/v1/endpoints', text)).status === 200;
const under = (topic: string, id: string) =>
  log.records.filter((record) => record.topic === topic && String(record.key) === id);
const textOf = (header: Buffer | undefined) => String(header);
const copyOf = ({ topic, key: id, value, headers }: InRecord): OutRecord => ({ topic, key: id, value, headers });

/** Writes a bad record, and waits until the good record is the key's last one again. */
async function isMended(bad: OutRecord, good: (record: InRecord) => boolean): Promise<void> {
  const records = () => under(bad.topic, String(bad.key));
  const before = records().length;
  await control.write(bad);
  await until(
    'the good record is written again',
    () => {
      const last = records().at(-1);
      return records().length >= before + 2 && last !== undefined && good(last);
    },
    REWRITE_MS,
  );
}

/** Reads a topic as an app that requires signatures. @returns number of records applied */
async function readSigned(topic: string): Promise<number> {
  const verifier = new RecordVerifier(new RecordSigner(own).publicKey);
  const settings = { ...control.settings, trust: { verifier, isSignatureRequired: true } };
  let used = 0;
  const table = new ConfigurationTable(kafkaClient(settings), { topic, apply: () => void used++ });
  try {
    await table.start();
    return used;
  } finally {
    await table.stop();
  }
}

beforeAll(async () => {
  server = await freshDatabase();
  await start({ CONFIG_SIGNING_KEY: '' });
  const created = await control.post('/v1/endpoints', { url: 'http://127.0.0.1:9/', event_types: ['*'] });
  endpoint = created.body.id;
  key = await control.keyFor('acme');
  revoked = await control.keyFor('acme');
  await control.delete(`/v1/api-keys/${idOf(revoked)}`);
  await until('the key is refused', async () => !(await works(revoked)));
  await until('all is published', () => under(API_KEYS_TOPIC, idOf(revoked)).length >= 2);
});
afterAll(async () => {
  await control.stop();
  await server.drop();
});

const isSignedRow = ({ value, headers }: InRecord) => value !== null && headers[SIGNATURE_HEADER] !== undefined;
const isSignedTombstone = ({ value, headers }: InRecord) => value === null && headers[SIGNATURE_HEADER] !== undefined;

describe('signatures', () => {
  it('given unsigned records, then requiring signatures fails; a start with the key signs all of them', async () => {
    await expect(readSigned(ENDPOINTS_TOPIC)).rejects.toBeInstanceOf(UnsignedRecordsError);
    await expect(readSigned(API_KEYS_TOPIC)).rejects.toBeInstanceOf(UnsignedRecordsError);

    await control.stop();
    await start();

    await until('the endpoint is signed', () => under(ENDPOINTS_TOPIC, endpoint).some(isSignedRow));
    await until('the key is signed', () => under(API_KEYS_TOPIC, idOf(key)).some(isSignedRow));
    await until('so are the markers', () => under(API_KEYS_TOPIC, SEQUENCE_MARKER).some(isSignedRow));
    expect(await readSigned(ENDPOINTS_TOPIC)).toBe(1);
    // The admin key, this key, and the tombstone of the revoked key.
    expect(await readSigned(API_KEYS_TOPIC)).toBe(3);
    expect(await works(key)).toBe(true);
  });
});

describe('a bad record under a key', () => {
  it('given junk, a forged signature, a foreign tombstone or an older record, then control writes the good record again', async () => {
    const first = under(ENDPOINTS_TOPIC, endpoint).find(isSignedRow);
    await control.patch(`/v1/endpoints/${endpoint}`, { description: 'newer' });
    const isNewer = ({ value }: InRecord) => String(value).includes('newer');
    await until('the change is published', () => under(ENDPOINTS_TOPIC, endpoint).some(isNewer));
    const stranger = new RecordSigner(signingKey('own'));
    const tombstone = { topic: API_KEYS_TOPIC, key: idOf(key), value: null };

    await isMended({ topic: ENDPOINTS_TOPIC, key: endpoint, value: 'junk' }, isSignedRow);
    await isMended({ topic: API_KEYS_TOPIC, key: idOf(key), value: '{}' }, isSignedRow);
    await isMended(await stranger.sign(tombstone), isSignedRow);
    await isMended({ topic: ENDPOINTS_TOPIC, key: endpoint, value: null }, isSignedRow);
    if (first === undefined) throw new Error('the endpoint was never published');
    await isMended(copyOf(first), (record) => isSignedRow(record) && isNewer(record));

    expect(await works(key)).toBe(true);
    const reasons = (await ignoredConfigurationRecords.get()).values.map(({ labels }) => labels.reason);
    expect(reasons).toEqual(expect.arrayContaining(['malformed', 'forged']));
  });

  it('given the signed record of a revoked key, then the key stays revoked, and control writes its tombstone again', async () => {
    const late = await control.keyFor('acme');
    await control.delete(`/v1/api-keys/${idOf(late)}`);
    await until('the tombstone is there', () => under(API_KEYS_TOPIC, idOf(late)).some(isSignedTombstone));
    for (const id of [revoked, late].map(idOf)) {
      const before = under(API_KEYS_TOPIC, id).findLast(({ value }) => value !== null);
      if (before === undefined) throw new Error('the key was never published');
      await isMended(copyOf(before), isSignedTombstone);
    }
    expect([await works(revoked), await works(late)]).toEqual([false, false]);
  });

  it('given a record under an unknown key, junk or well-formed, then control writes a tombstone', async () => {
    const { text, id, hash } = generateApiKey();
    const record = { v: 1, id, version: 9, hash, tenant: null, scopes: ['admin'], expires_at: null };
    const value = JSON.stringify(record);
    await isMended(
      { topic: API_KEYS_TOPIC, key: id, value, headers: { [CHANGE_HEADER]: '1\n1\nx\n9' } },
      isSignedTombstone,
    );
    await isMended({ topic: API_KEYS_TOPIC, key: 'made-up', value: 'junk' }, isSignedTombstone);
    await until('the key is refused', async () => !(await works(text)));
  });

  it.each(['a\0b', ' ', 'x'.repeat(3_000)])(
    'given junk under the key %j, then control writes a tombstone, and further changes are published',
    async (name) => {
      for (const topic of [ENDPOINTS_TOPIC, API_KEYS_TOPIC]) {
        await isMended({ topic, key: name, value: 'junk' }, isSignedTombstone);
      }
      const created = await control.post('/v1/endpoints', { url: 'http://127.0.0.1:9/', event_types: ['*'] });
      const isPublished = () => under(ENDPOINTS_TOPIC, created.body.id).some(isSignedRow);
      await until('the new endpoint is published', isPublished, REWRITE_MS);
    },
  );

  it('given a version above that of the database, then the row gets the next higher version', async () => {
    const hash = hashApiKey('stolen');
    const record = { v: 1, id: idOf(key), version: 10_000, hash, tenant: null, scopes: ['admin'], expires_at: null };
    await isMended(
      { topic: API_KEYS_TOPIC, key: idOf(key), value: JSON.stringify(record) },
      (last) => isSignedRow(last) && JSON.parse(String(last.value)).version > 10_000,
    );
    await until('the true key works', () => works(key));
  });

  it('given a tombstone of the highest version, then a later record of this version counts, and the key can be revoked', async () => {
    const late = await control.keyFor('acme');
    const at = { topic: API_KEYS_TOPIC, key: idOf(late) };
    const highest = (id: string) => ({ [CHANGE_HEADER]: `1\n1\n${id}\n${MAX_VERSION}` });
    await until('the key is published', () => under(API_KEYS_TOPIC, at.key).some(isSignedRow));
    await isMended({ ...at, value: null, headers: highest('x') }, isSignedRow);
    await until('the key works again', () => works(late));
    expect(textOf(under(API_KEYS_TOPIC, at.key).at(-1)?.headers[CHANGE_HEADER])).toMatch(`\n${MAX_VERSION}`);

    expect((await control.delete(`/v1/api-keys/${at.key}`)).status).toBe(204);
    await until('the key is refused', async () => !(await works(late)));
  });

  it('given an endpoint at the highest version, then it can be changed and deleted', async () => {
    const { body } = await control.post('/v1/endpoints', { url: 'http://127.0.0.1:9/', event_types: ['*'] });
    await control.database.query('UPDATE endpoints SET version = $2 WHERE id = $1', [body.id, MAX_VERSION]);
    expect((await control.patch(`/v1/endpoints/${body.id}`, { description: 'later' })).status).toBe(200);
    const isLater = ({ value }: InRecord) => String(value).includes('later');
    await until('the change is published', () => under(ENDPOINTS_TOPIC, body.id).some(isLater));
    expect((await control.delete(`/v1/endpoints/${body.id}`)).status).toBe(204);
    await until('the deletion is published', () => under(ENDPOINTS_TOPIC, body.id).some(isSignedTombstone));
  });

  it.each([
    { topic: ENDPOINTS_TOPIC, key: 'posthorn:generation:attempts', value: '{"v":1,"generation":5000}' },
    { topic: ENDPOINTS_TOPIC, key: SEQUENCE_MARKER, value: '{}', headers: { [CHANGE_HEADER]: BEYOND } },
    { topic: API_KEYS_TOPIC, key: SEQUENCE_MARKER, value: '{}', headers: { [CHANGE_HEADER]: BEYOND } },
  ])(
    'given the marker $key of $topic with a number out of range, then control writes the good one again',
    async (bad) => {
      await isMended(bad, isSignedRow);
      expect((await control.get('/health/ready')).body.checks.configuration).toBe('ok');
    },
  );

  it('given these records, when the topics are compacted and control restarts with required signatures, then the configuration is unchanged', async () => {
    const before = [await control.table(ENDPOINTS_TOPIC), await control.table(API_KEYS_TOPIC)].map((rows) => [...rows]);
    const settings = control.settings;
    for (const [topic, junk] of [
      [ENDPOINTS_TOPIC, 'junk'],
      [API_KEYS_TOPIC, '{}'],
    ] as const) {
      await control.write({ topic, key: topic === ENDPOINTS_TOPIC ? endpoint : idOf(key), value: junk });
      const touch = () => control.write({ topic, key: 'posthorn:touch', value: '' });
      const isCompacted = (values: readonly string[]) => !values.includes(junk);
      await compact({ brokers: settings.brokers, topic: settings.prefix + topic }, touch, isCompacted);
    }

    await control.stop();
    await start({ REQUIRE_SIGNED_RECORDS: 'true' });

    const after = [await control.table(ENDPOINTS_TOPIC), await control.table(API_KEYS_TOPIC)].map(
      (rows) => new Map(rows),
    );
    expect(after).toEqual(before.map((rows) => new Map(rows)));
    expect([await works(key), await works(revoked)]).toEqual([true, false]);
    // Only signed records apply: control ignores and replaces the forged one.
    const { text, id, hash } = generateApiKey();
    const record = { v: 1, id, version: 1, hash, tenant: null, scopes: ['admin'], expires_at: null };
    await isMended({ topic: API_KEYS_TOPIC, key: id, value: JSON.stringify(record) }, isSignedTombstone);
    expect(await works(text)).toBe(false);
    expect(textOf(under(API_KEYS_TOPIC, idOf(key)).at(-1)?.headers[SIGNATURE_HEADER])).toMatch(/^1:own:/);
  }, 180_000);
});
