import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CloudEvent, Kafka as CloudEventsKafka } from 'cloudevents';
import { Kafka, logLevel } from 'kafkajs';
import { partitionOf } from '#common/kafka/port/partitioner.js';
import { deadLetterHeaders, readDeadLetter, withoutDeadLetterHeaders } from '#common/records/dead-letter-record.js';
import { DELIVERY_HEADER } from '#common/records/delivery-record.js';
import type { OutRecord } from '#common/records/record.js';
import * as metrics from '../../apps/ingest/src/metrics.js';
import { runSql } from '../../scripts/lib/postgres.mjs';
import { IngestApp } from '../support/ingest-app.js';
import { freshDatabase, type TestDatabase, testBrokers } from '../support/servers.js';
import { until } from '../support/until.js';

const MAX_EVENT_BYTES = 8_192;

describe('the router', () => {
  let server: TestDatabase;
  let ingest: IngestApp;
  let endpointId: string;

  beforeAll(async () => {
    server = await freshDatabase();
    const env = { MAX_EVENT_BYTES: String(MAX_EVENT_BYTES) };
    ingest = await IngestApp.start({ brokers: testBrokers(), databaseUrl: server.url, env });
    endpointId = await ingest.addEndpoint({ tenant: 'acme', event_types: ['invoice.*'] });
  }, 60_000);
  afterAll(async () => {
    await ingest.stop();
    await server.drop();
  });

  const event = (id: string, more: object = {}) =>
    JSON.stringify({ id, type: 'invoice.paid', tenant: 'acme', data: { a: 1 }, ...more });
  const delivered = (id: string, count = 1) =>
    until(`${count} deliveries of ${id}`, () => ingest.deliveriesOf(id).length >= count);
  const total = async (counter: { get(): Promise<{ values: { value: number }[] }> }) =>
    (await counter.get()).values.reduce((sum, { value }) => sum + value, 0);

  it('given an event on the topic, then its delivery is written and the event is archived', async () => {
    const value = `{"id":"first","type":"invoice.paid","tenant":"acme","resource_id":"inv/1",
      "occurred_at":"2026-01-31T10:00:00.5+01:00","data": {"n": 12345678901234567890, "n":1.0} }`;
    await ingest.write({ key: 'inv/1', value });
    await delivered('first');
    const [delivery] = ingest.deliveriesOf('first');
    expect(delivery?.record.key?.toString()).toBe(`${endpointId}:inv/1`);
    expect(delivery?.meta).toMatchObject({
      endpointId,
      tenant: 'acme',
      eventType: 'invoice.paid',
      attempt: 0,
      replay: 0,
    });
    expect(String(delivery?.record.value)).toMatch(
      /"sequence":\d+,"resource_id":"inv\/1","data":\{"n": 12345678901234567890, "n":1\.0\}\}$/,
    );
    const rows = await ingest.database.query('SELECT * FROM events WHERE id = $1', ['first']);
    expect(rows).toMatchObject([
      {
        tenant: 'acme',
        type: 'invoice.paid',
        resource_id: 'inv/1',
        occurred_at: new Date('2026-01-31T09:00:00.500Z'),
        accepted_at: new Date(delivery?.meta.acceptedAt ?? 0),
        source_offset: delivery?.body.sequence,
        endpoint_ids: [endpointId],
        data: '{"n": 12345678901234567890, "n":1.0}',
      },
    ]);
  });

  it('given an event without a subscription, then it is archived and no delivery is written', async () => {
    await ingest.write({ key: 'k', value: event('unwanted', { type: 'order.made' }) });
    await until('the event is archived', async () => {
      const rows = await ingest.database.query('SELECT endpoint_ids FROM events WHERE id = $1', ['unwanted']);
      return JSON.stringify(rows) === '[{"endpoint_ids":[]}]';
    });
    expect(ingest.deliveriesOf('unwanted')).toEqual([]);
  });

  it('given a disabled endpoint, then it gets no delivery', async () => {
    const other = await ingest.addEndpoint({ tenant: 'acme', event_types: ['order.*'] });
    await ingest.putEndpoint({ id: other, tenant: 'acme', event_types: ['order.*'], version: 2, enabled: false });
    let last = '';
    await until('an event passes it by', async () => {
      last = `passing-${Date.now()}`;
      await ingest.write(
        { key: last, value: event(last, { type: 'order.made' }) },
        { key: last, value: event(`${last}-b`) },
      );
      await delivered(`${last}-b`);
      return ingest.deliveriesOf(last).length === 0;
    });
  });

  it('given a repeated id, at once, later, and on another partition, then only the first event is delivered', async () => {
    const before = await total(metrics.duplicates);
    const keyOn = (partition: number) =>
      ['a', 'b', 'c', 'd', 'e'].find((key) => partitionOf(key, 2) === partition) ?? '';
    const value = event('again');
    await ingest.write({ key: keyOn(0), value }, { key: keyOn(0), value }, { key: keyOn(1), value });
    await delivered('again');
    await ingest.write({ key: keyOn(1), value }, { key: keyOn(1), value: event('after') });
    await delivered('after');
    await until('three duplicates', async () => (await total(metrics.duplicates)) === before + 3);
    expect(ingest.deliveriesOf('again')).toHaveLength(1);
  });

  it('given CloudEvents from the SDK in both modes, then they are delivered', async () => {
    for (const mode of ['binary', 'structured'] as const) {
      const cloudEvent = new CloudEvent({
        id: `ce-${mode}`,
        source: '/shop',
        type: 'invoice.paid',
        subject: 'inv_7',
        tenant: 'acme',
        time: '2026-01-31T09:00:00.000Z',
        data: { total: 7 },
      });
      const message = CloudEventsKafka[mode](cloudEvent);
      const value = typeof message.value === 'string' ? message.value : JSON.stringify(message.value);
      await ingest.write({ key: 'inv_7', value, headers: textHeaders(message.headers) });
      await delivered(`ce-${mode}`);
      expect(ingest.deliveriesOf(`ce-${mode}`)[0]?.body).toMatchObject({
        id: `ce-${mode}`,
        resource_id: 'inv_7',
        occurred_at: '2026-01-31T09:00:00.000Z',
        data: { total: 7 },
      });
    }
  });

  it('given records read again after a crash, then the same deliveries are written again, once', async () => {
    await ingest.write({ key: 'r', value: event('reread') }, { key: 'r', value: event('reread') });
    await delivered('reread');
    await ingest.stopApp();
    const admin = new Kafka({ brokers: testBrokers(), logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.resetOffsets({
      groupId: `${ingest.settings.prefix}router`,
      topic: `${ingest.settings.prefix}ingest`,
      earliest: true,
    });
    await admin.disconnect();
    const before = await total(metrics.redelivered);
    await ingest.restart();
    await delivered('reread', 2);
    await ingest.write({ key: 'r', value: event('behind') });
    await delivered('behind');
    const [one, other, ...more] = ingest.deliveriesOf('reread');
    expect(more).toEqual([]);
    expect(other?.meta).toEqual(one?.meta);
    expect(other?.record.value).toEqual(one?.record.value);
    expect(await total(metrics.redelivered)).toBeGreaterThan(before);
    const archived = await ingest.database.query('SELECT id FROM events WHERE id = $1', ['reread']);
    expect(archived).toHaveLength(1);
  }, 60_000);

  it('given a misplaced record, then it is moved to the partition of its key and routed', async () => {
    const key = 'stray';
    const client = new Kafka({ brokers: testBrokers(), logLevel: logLevel.NOTHING }).producer();
    await client.connect();
    const partition = 1 - partitionOf(key, 2);
    const value = event('strayed', { resource_id: key });
    const topic = `${ingest.settings.prefix}ingest`;
    await client.send({
      topic,
      acks: -1,
      messages: [
        { key, value, partition },
        { key: null, value: event('keyless', { resource_id: key }), partition },
      ],
    });
    await client.disconnect();
    await Promise.all([delivered('strayed'), delivered('keyless')]);
    const rows = await ingest.database.query('SELECT source_partition FROM events WHERE id = ANY($1)', [
      ['strayed', 'keyless'],
    ]);
    expect(rows).toEqual([{ source_partition: 1 - partition }, { source_partition: 1 - partition }]);
  });

  describe('poison', () => {
    const CE = { ce_specversion: '1.0', ce_id: '1', ce_source: 's', ce_type: 'a' };
    const DEAD = textHeaders(
      deadLetterHeaders({
        reason: 'max_retries',
        at: 1,
        detail: undefined,
        lastStatus: undefined,
        lastError: undefined,
        source: 'x',
      }),
    );

    it.each<[string, OutRecord['value'], Record<string, string | Buffer>]>([
      ['a null value', null, {}],
      ['an empty value', '', {}],
      ['random bytes', Buffer.from([0, 255, 17, 200]), { x: Buffer.from([255]) }],
      [
        'invalid UTF-8 within JSON',
        Buffer.from([...Buffer.from('{"id":"1","type":"a","data":"'), 0xff, 0x22, 0x7d]),
        {},
      ],
      ['no JSON', '{"id":', {}],
      ['a scalar', '7', {}],
      ['another schema', '{"user":{"name":"x"}}', {}],
      ['no id', '{"type":"a","data":1}', {}],
      ['no type', '{"id":"1","data":1}', {}],
      ['no data', '{"id":"1","type":"a"}', {}],
      ['an unknown field', '{"id":"1","type":"a","data":1,"v":2}', {}],
      ['a bad date', '{"id":"1","type":"a","data":1,"occurred_at":"2026-02-30T00:00:00Z"}', {}],
      ['a resource with NUL', '{"id":"1","type":"a","data":1,"resource_id":"\\u0000"}', {}],
      ['an unknown CloudEvents version', '1', { ...CE, ce_specversion: '2.0' }],
      ['a CloudEvent without a type', '1', { ce_specversion: '1.0', ce_id: '1', ce_source: 's' }],
      ['CloudEvents in Avro', 'x', { 'content-type': 'application/cloudevents+avro' }],
      ['an event that is too large', event('large', { data: 'x'.repeat(MAX_EVENT_BYTES) }), {}],
      ['a dead letter of an unknown reason', '1', { ...DEAD, 'posthorn-dead-reason': 'boredom' }],
      ['a dead letter that was no delivery', '1', DEAD],
      ['a header named __proto__', 'x', Object.fromEntries([['__proto__', 'polluted'] as const])],
      ['a dead letter with a malformed header', '1', { ...DEAD, [DELIVERY_HEADER]: '1\n2' }],
    ])('given %s, then it goes to dlq unchanged, and its partition continues', async (name, value, headers) => {
      const before = ingest.in('dlq').length;
      const id = `next to ${name}`.slice(0, 200);
      await ingest.write({ key: 'poison', value, headers }, { key: 'poison', value: event(id) });
      await delivered(id);
      await until('a dead letter', () => ingest.in('dlq').length > before);
      const [letter, ...more] = ingest.in('dlq').slice(before);
      expect(more).toEqual([]);
      expect(letter?.key?.toString()).toBe('poison');
      expect(letter?.value).toEqual(value === null ? null : Buffer.from(value));
      const given = withoutDeadLetterHeaders(headers);
      expect(withoutDeadLetterHeaders(letter?.headers ?? {})).toEqual(
        Object.fromEntries(Object.entries(given).map(([header, content]) => [header, Buffer.from(content)])),
      );
      expect(readDeadLetter(letter?.headers ?? {})).toMatchObject({
        reason: 'payload_error',
        source: expect.stringMatching(/^ingest\/[01]\/\d+$/),
        detail: expect.stringMatching(/./),
      });
    });

    it('given a good event with 15 000 headers, then it goes to dlq with those that fit, without delay for others', async () => {
      const before = ingest.in('dlq').length;
      const headers = Object.fromEntries(Array.from({ length: 15_000 }, (_, index) => [`h${index}`, 'v']));
      await ingest.write(
        { key: 'poison', value: event('headers'), headers },
        { key: 'poison', value: event('behind') },
      );
      const writtenAt = Date.now();
      await delivered('behind');
      expect(Date.now() - writtenAt).toBeLessThan(5_000);
      await until('a dead letter', () => ingest.in('dlq').length > before);
      const letter = ingest.in('dlq').at(-1);
      expect(String(letter?.value)).toBe(event('headers'));
      expect(Object.keys(withoutDeadLetterHeaders(letter?.headers ?? {}))).toEqual(Object.keys(headers).slice(0, 256));
      expect(letter?.oversized).toBeUndefined();
      expect(readDeadLetter(letter?.headers ?? {})).toMatchObject({
        reason: 'payload_error',
        detail: 'the record has 15000 headers, more than 256',
      });
      expect(ingest.deliveriesOf('headers')).toEqual([]);
    });

    it('given poison without a key, then its dead letter has no key', async () => {
      const before = ingest.in('dlq').length;
      await ingest.write({ key: null, value: 'x' });
      await until('a dead letter', () => ingest.in('dlq').length > before);
      expect(ingest.in('dlq').at(-1)?.key).toBeNull();
    });

    it('given a corrected dead letter that is written back, then it is routed', async () => {
      const headers = { ...DEAD, 'posthorn-dead-reason': 'payload_error' };
      await ingest.write({ key: 'k', value: event('mended'), headers });
      await delivered('mended');
      expect(Object.keys(ingest.deliveriesOf('mended')[0]?.record.headers ?? {})).toEqual([DELIVERY_HEADER]);
    });

    it('given a dead letter of a delivery, twice, then it goes to deliveries unchanged, both times', async () => {
      await ingest.write({ key: 'k', value: event('replayed') });
      await delivered('replayed');
      const [{ record } = { record: undefined }] = ingest.deliveriesOf('replayed');
      const headers = { ...record?.headers, ...DEAD, extra: Buffer.from([1, 255]) };
      const letter = { key: record?.key ?? '', value: record?.value ?? null, headers };
      await ingest.write(letter, letter);
      await delivered('replayed', 3);
      for (const { record: replay } of ingest.deliveriesOf('replayed').slice(1)) {
        expect(replay.key).toEqual(record?.key);
        expect(replay.value).toEqual(record?.value);
        expect(replay.headers).toMatchObject({
          extra: Buffer.from([1, 255]),
          'posthorn-dead-reason': Buffer.from('max_retries'),
        });
      }
    });
  });

  describe('while PostgreSQL cannot do its part', () => {
    const database = () => new URL(server.url).pathname.slice(1);
    const sql = (statement: string) => runSql(server.url, statement);
    const readOnly = (change: string) => {
      const elsewhere = Object.assign(new URL(server.url), { pathname: '/postgres' }).href;
      const disconnect = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database()}'`;
      return runSql(elsewhere, `ALTER DATABASE ${database()} ${change}; ${disconnect}`);
    };
    it.each([
      {
        given: 'a table that was renamed',
        begin: () => sql('ALTER TABLE event_keys RENAME TO event_keys_away'),
        end: () => sql('ALTER TABLE event_keys_away RENAME TO event_keys'),
        shows: 'schema_mismatch: ',
      },
      {
        given: 'a database that is read-only',
        begin: () => readOnly('SET default_transaction_read_only = on'),
        end: () => readOnly('RESET default_transaction_read_only'),
        shows: 'read_only: ',
      },
    ])(
      'given $given, then readiness notes it, no event is lost, and the router catches up',
      async ({ given, ...fault }) => {
        await fault.begin();
        const ids = Array.from({ length: 20 }, (_, index) => `${given}-${index}`);
        await ingest.write(...ids.map((id) => ({ key: id, value: event(id) })));
        await until('readiness notes it', async () => {
          const { status, body } = await ingest.get('/health/ready');
          return status === 200 && String(body.checks.postgres).startsWith(fault.shows);
        });
        expect(ids.flatMap((id) => ingest.deliveriesOf(id))).toEqual([]);
        await fault.end();
        for (const id of ids) await delivered(id);
        await until('it is well', async () => (await ingest.get('/health/ready')).body.checks.postgres === 'ok');
      },
    );

    it('given one event that always fails for an unknown reason, then only that event is a dead letter', async () => {
      await sql(
        `CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF NEW.event_id = 'boom-3' THEN RAISE EXCEPTION 'boom'; END IF; RETURN NEW; END $$;
         CREATE TRIGGER boom BEFORE INSERT ON event_keys FOR EACH ROW EXECUTE FUNCTION boom()`,
      );
      const ids = Array.from({ length: 10 }, (_, index) => `boom-${index}`);
      await ingest.write(...ids.map((id) => ({ key: 'boom', value: event(id) })));
      for (const id of ids) if (id !== 'boom-3') await delivered(id);
      const letter = () => ingest.in('dlq').find(({ value }) => String(value) === event('boom-3'));
      await until('it is a dead letter', () => letter() !== undefined);
      expect(String(letter()?.headers['posthorn-dead-detail'])).toContain('boom');
      await sql('DROP TRIGGER boom ON event_keys');
    });
  });
});

function textHeaders(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  const present = Object.entries(headers).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present.map(([name, value]) => [name, String(value)]));
}
