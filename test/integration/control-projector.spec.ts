import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeDelivery } from '#common/records/delivery-record.js';
import type { InRecord } from '#common/records/record.js';
import { ATTEMPTS_TOPIC, DELIVERIES_TOPIC, DLQ_TOPIC, ENDPOINTS_TOPIC } from '#common/records/topics.js';
import { projectorGapRecords, rejectedRecords } from '../../apps/control/src/projector/metrics.js';
import { ProjectionWriter } from '../../apps/control/src/projector/projection-writer.js';
import { ControlApp } from '../support/control-app.js';
import type { RecordingConsumer } from '../support/kafka-port/recording-consumer.js';
import { attempt, deadLetter, deliveryOnce, type Made, newDelivery } from '../support/made-delivery.js';
import '../support/quiet.js';
import { freshDatabase, type TestDatabase } from '../support/servers.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { largeRecords, transact, transactionalProducer } from '../support/transactions.js';
import { until } from '../support/until.js';

let server: TestDatabase;
let proxy: TcpProxy;
let control: ControlApp;
let deliveries: RecordingConsumer;
let endpointId: string;

beforeAll(async () => {
  server = await freshDatabase();
  const url = new URL(server.url);
  proxy = await TcpProxy.before({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  control = await ControlApp.start({ databaseUrl: url.href });
  deliveries = await control.follow(DELIVERIES_TOPIC);
  endpointId = (await newEndpoint()).id;
});
afterAll(async () => {
  await control.stop();
  await proxy.close();
  await server.drop();
});

const newEndpoint = async (): Promise<{ id: string }> =>
  (await control.post('/v1/endpoints', { url: 'http://127.0.0.1:9/', event_types: ['*'], tenant: 'acme' })).body;

/** Writes an attempt that delivers, and waits until it is projected. */
const deliveryOnceOf = async (record: ReturnType<typeof attempt>): Promise<void> => {
  const projected = async () =>
    (await control.database.query<{ count: number }>('SELECT count(*) FROM delivery_attempts'))[0]?.count ?? 0;
  const before = await projected();
  await control.write(record);
  await until('the attempt is projected', async () => (await projected()) > before);
};

describe('projector', () => {
  it('given attempts, then the delivery shows each attempt, and its state', async () => {
    const made = await newDelivery(control, endpointId);
    const [item] = (await control.get(`/v1/deliveries?event_id=${made.eventId}`)).body.items;
    expect(item).toMatchObject({ id: made.id, status: 'pending', attempts: [], next_attempt_at: null });

    const next = Date.now() + 4_000;
    await control.write(attempt(made, { status_code: 503, outcome: 'retry', next_attempt_at: next }));
    expect(await deliveryOnce(control, made.id, 'retrying')).toMatchObject({
      next_attempt_at: new Date(next).toISOString(),
    });

    const response_body = Buffer.from('ok\0 <b>');
    await control.write(attempt(made, { attempt: 2, response_body, error_detail: 'a\0b' }));
    const delivery = await deliveryOnce(control, made.id, 'delivered');
    expect(delivery).toMatchObject({
      next_attempt_at: null,
      attempts: [
        { status_code: 503, outcome: 'retry', attempt: 1 },
        { status_code: 200, duration_ms: 12, error: null, attempt: 2, response_body: 'ok\0 <b>', error_detail: 'ab' },
      ],
    });
    const { items } = (await control.get(`/v1/deliveries?event_id=${made.eventId}`)).body;
    expect(items).toMatchObject([
      { id: made.id, event_id: made.eventId, endpoint_id: endpointId, status: 'delivered' },
    ]);
    expect(Object.keys(items[0].attempts[0]).sort()).toEqual(['at', 'duration_ms', 'error', 'status_code']);
  });

  it('given a dead letter before its attempts, then the delivery is and stays dead', async () => {
    const made = await newDelivery(control, endpointId);
    await control.write(deadLetter(made));
    expect(await deliveryOnce(control, made.id, 'dead')).toMatchObject({ dead_reason: 'max_retries', attempts: [] });
    await control.write(attempt(made, { attempt: 3, outcome: 'retry', status_code: 500 }));
    await until(
      'the attempt is there',
      async () => (await control.get(`/v1/deliveries/${made.id}`)).body.attempts.length === 1,
    );
    expect(await deliveryOnce(control, made.id, 'dead')).toMatchObject({ dead_reason: 'max_retries' });
  });

  it('given malformed records, then they are counted, stored if possible, and later records are projected', async () => {
    const made = await newDelivery(control, endpointId);
    const junk = { topic: ATTEMPTS_TOPIC, key: endpointId, value: '{"v":9}' };
    await control.write(junk, { ...junk, value: null }, attempt(made));
    await deliveryOnce(control, made.id, 'delivered');
    expect((await rejectedRecords.get()).values).toMatchObject([
      { labels: { topic: ATTEMPTS_TOPIC }, value: 2 },
      { labels: { topic: DLQ_TOPIC }, value: 0 },
    ]);
  });

  it('given a record of the previous release, then it is projected, too', async () => {
    const made = await newDelivery(control, endpointId);
    const facts = { delivery_id: made.id, event_id: made.eventId, endpoint_id: endpointId, tenant: 'acme', v: 1 };
    const life = { event_type: made.type, lane: made.lane, accepted_at: made.acceptedAt, replay: 0, attempt: 1 };
    const result = { at: Date.now(), duration_ms: 3.7, status_code: 200, error: null, error_detail: null, gone: false };
    const end = { outcome: 'delivered', dead_reason: null, next_attempt_at: null, response_body: 'b2s=' };
    const value = JSON.stringify({ ...facts, ...life, ...result, ...end });
    await control.write({ topic: ATTEMPTS_TOPIC, key: endpointId, value });
    expect(await deliveryOnce(control, made.id, 'delivered')).toMatchObject({
      attempts: [{ status_code: 200, duration_ms: 4, response_body: 'ok' }],
    });
  });

  it('given a 410, then the endpoint is disabled, and the change announced', async () => {
    const { id } = await newEndpoint();
    const endpoints = await control.table(ENDPOINTS_TOPIC);
    const made = await newDelivery(control, id);
    const gone = {
      status_code: 410,
      outcome: 'dead',
      dead_reason: 'invalid_endpoint',
      gone: true,
      at: Date.now() + 1,
    } as const;
    await control.write(attempt(made, gone));
    await until('the change is announced', () => (endpoints.get(id) as { enabled?: boolean })?.enabled === false);
    expect((await control.get(`/v1/endpoints/${id}`)).body).toMatchObject({
      status: 'disabled',
      disabled_reason: 'gone',
    });
  });

  it('given records that were projected before, then none counts twice; given a recreated topic, then its records count', async () => {
    const writer = control.app.get(ProjectionWriter);
    const made = await newDelivery(control, endpointId);
    const at = (offset: number, timestamp: number): InRecord => {
      const { value } = attempt(made, { attempt: offset + 1 });
      return {
        topic: ATTEMPTS_TOPIC,
        partition: 99,
        offset,
        timestamp,
        key: null,
        value: Buffer.from(String(value)),
        headers: {},
      };
    };
    expect((await writer.write([at(0, 1_000), at(1, 1_000)])).attempts).toHaveLength(2);
    expect((await writer.write([at(1, 1_000), at(2, 1_000)])).attempts).toHaveLength(1);
    expect((await writer.write([at(0, 2_000)])).attempts).toHaveLength(1);
  });
});

/** Writes a record of `attempts` to a partition that no other test writes. */
const entry = (made: Made, offset: number, over: Parameters<typeof attempt>[1] = {}): InRecord => ({
  ...{ topic: ATTEMPTS_TOPIC, partition: 98, offset, timestamp: made.acceptedAt, key: null, headers: {} },
  value: Buffer.from(String(attempt(made, over).value)),
});

describe('redelivered attempts', () => {
  const attemptsOf = async ({ id }: Made) => (await control.get(`/v1/deliveries/${id}`)).body.attempts;
  const counted = async (endpoint: string) =>
    (await control.get(`/v1/endpoints/${endpoint}/health`)).body.last_hour.attempts;

  it('given known attempts among new ones, then each new one counts once', async () => {
    const writer = control.app.get(ProjectionWriter);
    const { id } = await newEndpoint();
    const made = await newDelivery(control, id);
    const retry = (offset: number, number: number) => entry(made, offset, { attempt: number, outcome: 'retry' });
    await writer.write([retry(0, 1), retry(1, 2)]);
    await writer.write([retry(2, 2), retry(3, 3), retry(4, 3), retry(5, 1), retry(6, 4)]);
    expect(await attemptsOf(made)).toHaveLength(4);
    expect(await counted(id)).toBe(4);
  });

  it('given deliveries that their first attempt delivered, then the attempt has no row of its own, and counts once', async () => {
    const writer = control.app.get(ProjectionWriter);
    const { id } = await newEndpoint();
    const [one, two] = [await newDelivery(control, id), await newDelivery(control, id)];
    const [body, at] = [Buffer.from('fine'), Date.now() - 5_000];
    await writer.write([entry(one, 0, { response_body: body, at, duration_ms: 7, status_code: 202 }), entry(one, 1)]);
    await writer.write([entry(two, 2), entry(one, 3), entry(one, 4, { outcome: 'retry', status_code: 500 })]);
    await writer.write([entry(one, 5, { outcome: 'retry', status_code: 500 })]);

    expect(await control.get(`/v1/deliveries/${one.id}`)).toMatchObject({ body: { status: 'delivered' } });
    const first = { at: new Date(at).toISOString(), duration_ms: 7, status_code: 202, response_body: 'fine' };
    const rest = { replay: 0, attempt: 1, outcome: 'delivered', error: null, error_detail: null };
    expect(await attemptsOf(one)).toEqual([{ ...first, ...rest }]);
    expect(await attemptsOf(two)).toHaveLength(1);
    expect(await counted(id)).toBe(2);
    const stored = 'SELECT count(*) AS rows FROM attempts WHERE delivery_id = ANY($1)';
    expect(await control.database.query(stored, [[one.id, two.id]])).toEqual([{ rows: 0 }]);
  });

  it('given a repeated first attempt that failed before, then the delivery is delivered, and the first record stays', async () => {
    const writer = control.app.get(ProjectionWriter);
    const { id } = await newEndpoint();
    const [one, two] = [await newDelivery(control, id), await newDelivery(control, id)];
    await writer.write([entry(one, 0, { outcome: 'retry', status_code: 503 })]);
    await writer.write([entry(one, 1), entry(two, 2, { outcome: 'retry', status_code: 503 }), entry(two, 3)]);
    for (const made of [one, two]) {
      expect((await control.get(`/v1/deliveries/${made.id}`)).body).toMatchObject({
        status: 'delivered',
        attempts: [{ attempt: 1, status_code: 503, outcome: 'retry' }],
      });
    }
    expect(await counted(id)).toBe(2);
  });

  it('given a replay of a delivered delivery, then the attempts of both lives are shown', async () => {
    const writer = control.app.get(ProjectionWriter);
    const made = await newDelivery(control, (await newEndpoint()).id);
    await writer.write([entry(made, 0, { status_code: 202 }), entry(made, 1, { replay: 1, outcome: 'retry' })]);
    await writer.write([entry(made, 2, { replay: 1, attempt: 2, status_code: 204 })]);
    expect(await attemptsOf(made)).toMatchObject([
      { replay: 0, attempt: 1, status_code: 202 },
      { replay: 1, attempt: 1, outcome: 'retry' },
      { replay: 1, attempt: 2, status_code: 204 },
    ]);
  });
});

describe('transactions of other producers on a topic of outcomes', () => {
  const gaps = () => control.database.query('SELECT topic, from_offset, to_offset FROM projector_gaps');
  const junk = { key: 'stranger', value: 'junk' };

  it('given committed and aborted transactions between records, then no record counts as missing', async () => {
    const producer = await transactionalProducer();
    const topic = control.settings.prefix + ATTEMPTS_TOPIC;
    await deliveryOnceOf(attempt(await newDelivery(control, endpointId)));
    for (const end of ['abort', 'commit', 'abort'] as const) {
      await transact(producer, topic, end, largeRecords('stranger', 30));
      await deliveryOnceOf(attempt(await newDelivery(control, endpointId)));
    }
    await transact(producer, topic, 'abort', [junk, junk]);
    await producer.disconnect();
    expect(await gaps()).toEqual([]);
  });

  it('given a transaction behind the last record, when the projector has read it, then its offsets are stored', async () => {
    await control.kafka.withLogBounds(async (reader) => {
      const isStored = async () => {
        const ends = new Map((await reader.of(ATTEMPTS_TOPIC)).map(({ partition, high }) => [partition, high]));
        const rows = await control.database.query<{ partition: number; next_offset: number }>(
          'SELECT partition, next_offset FROM projector_offsets WHERE topic = $1 AND partition = ANY($2)',
          [ATTEMPTS_TOPIC, [...ends.keys()]],
        );
        return rows.length > 0 && rows.every((row) => Number(row.next_offset) === ends.get(row.partition));
      };
      await until('the offsets are those of the ends', isStored);
    });
  });
});

describe('a database restored from a backup', () => {
  it('given offsets behind the group, when the projector continues, then an error line names the missing records', async () => {
    await deliveryOnceOf(attempt(await newDelivery(control, endpointId)));
    await control.database.query('UPDATE projector_offsets SET next_offset = next_offset - 1 WHERE topic = $1', [
      ATTEMPTS_TOPIC,
    ]);

    await deliveryOnceOf(attempt(await newDelivery(control, endpointId)));

    const [gap] = await control.database.query<{ topic: string; missing: number }>(
      'SELECT topic, to_offset - from_offset AS missing FROM projector_gaps',
    );
    expect(gap).toEqual({ topic: ATTEMPTS_TOPIC, missing: 1 });
    const text = async () => (await control.get('/health/ready')).body.checks['projector-gaps'];
    await until('readiness names the command', async () => String(await text()).includes('npm run rebuild'));
    expect((await projectorGapRecords.get()).values).toMatchObject([{ value: 1 }]);
    await control.database.query('DELETE FROM projector_gaps');
    await until('the warning ends', async () => (await text()) === 'ok');
  });
});

describe('while PostgreSQL is away', () => {
  it('given an outage, then 503 during the outage, and every record is projected afterwards, without a restart', async () => {
    const made = await newDelivery(control, endpointId);
    proxy.cut();
    const answer = await control.get('/v1/endpoints');
    expect(answer).toMatchObject({ status: 503, body: { code: 'DATABASE_UNAVAILABLE' } });
    expect(answer.headers['retry-after']).toBe('2');
    expect((await control.get('/health/ready')).status).toBe(503);
    expect((await control.get('/health/live')).status).toBe(200);
    await control.write(attempt(made));

    proxy.restore();

    await deliveryOnce(control, made.id, 'delivered');
    await until('control is ready', async () => (await control.get('/health/ready')).status === 200);
    const { body } = await control.post(`/v1/endpoints/${endpointId}/test`);
    const sent = () =>
      deliveries.records.some(({ headers }) => decodeDelivery(headers.posthorn)?.deliveryId === body.delivery_id);
    await until('the outbox is relayed again', sent);
  });
});
