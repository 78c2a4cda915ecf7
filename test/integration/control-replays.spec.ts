import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { deadLetterHeaders } from '#common/records/dead-letter-record.js';
import { decodeDelivery } from '#common/records/delivery-record.js';
import { DELIVERIES_TOPIC, DLQ_TOPIC } from '#common/records/topics.js';
import { type Answer, ControlApp } from '../support/control-app.js';
import type { RecordingConsumer } from '../support/kafka-port/recording-consumer.js';
import { attempt, deadLetter, deadLetterOf, deliveryOnce, type Made, newDelivery } from '../support/made-delivery.js';
import '../support/quiet.js';
import { until } from '../support/until.js';

let control: ControlApp;
let deliveries: RecordingConsumer;
let endpointId: string;

beforeAll(async () => {
  control = await ControlApp.start();
  deliveries = await control.follow(DELIVERIES_TOPIC);
  endpointId = (await newEndpoint()).id;
});
afterAll(() => control.stop());

const newEndpoint = async (): Promise<{ id: string }> =>
  (await control.post('/v1/endpoints', { url: 'http://127.0.0.1:9/', event_types: ['*'], tenant: 'acme' })).body;

describe('dead letters', () => {
  it('given a poison record, then it is stored unchanged, and cannot be replayed', async () => {
    const value = Buffer.from([0xff, 0x00, 0x7b]);
    const info = {
      reason: 'payload_error',
      at: 5_000,
      detail: 'not JSON',
      lastStatus: undefined,
      lastError: undefined,
      source: 'ingest/1/2',
    } as const;
    await control.write({ topic: DLQ_TOPIC, key: null, value, headers: { ce_id: 'x', ...deadLetterHeaders(info) } });
    const list = async () => (await control.get('/v1/dead-letters?reason=payload_error')).body.items;
    await until('the dead letter is there', async () => (await list()).length === 1);
    const [{ id }] = await list();
    expect((await control.get(`/v1/dead-letters/${id}`)).body).toMatchObject({
      reason: 'payload_error',
      detail: 'not JSON',
      at: new Date(5_000).toISOString(),
      source: 'ingest/1/2',
      delivery_id: null,
      key_base64: null,
      value_base64: value.toString('base64'),
      headers_base64: { ce_id: Buffer.from('x').toString('base64') },
    });
    expect(await control.post(`/v1/dead-letters/${id}/replay`)).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining('payload_error') },
    });
    const acme = await control.keyFor('acme');
    expect((await control.get(`/v1/dead-letters/${id}`, acme)).status).toBe(404);
  });

  it('given a replay, then the record is written once, unchanged, and the next life is shown', async () => {
    const made = await newDelivery(control, endpointId);
    const dead = deadLetter(made);
    await control.write(
      attempt(made, { attempt: 4, outcome: 'dead', dead_reason: 'max_retries', status_code: 500 }),
      dead,
    );
    const { id } = await deadLetterOf(control, made);
    await deliveryOnce(control, made.id, 'dead');
    const other = await control.keyFor('other');
    expect((await control.post(`/v1/dead-letters/${id}/replay`, undefined, other)).status).toBe(404);

    expect(await control.post(`/v1/dead-letters/${id}/replay`)).toMatchObject({
      status: 202,
      body: { delivery_id: made.id, replay: 1 },
    });
    expect(await control.post(`/v1/dead-letters/${id}/replay`)).toMatchObject({ status: 409 });
    expect(await control.post(`/v1/deliveries/${made.id}/retry`)).toMatchObject({ status: 409 });

    const sent = () => deliveries.records.filter(({ key }) => String(key) === made.lane);
    const ours = () => sent().filter(({ headers }) => decodeDelivery(headers.posthorn)?.deliveryId === made.id);
    await until('the record is back', () => ours().length > 0);
    expect(ours()).toHaveLength(1);
    expect(ours()[0]?.value).toEqual(dead.value);
    const headers = Object.entries(ours()[0]?.headers ?? {}).map(([name, value]) => [name, String(value)]);
    // The dead letter has no MAC, as in older releases. Control adds it.
    expect(Object.fromEntries(headers)).toEqual({ ...dead.headers, 'posthorn-mac': expect.stringMatching(/^v1:k1:/) });

    expect((await control.get(`/v1/deliveries/${made.id}`)).body).toMatchObject({ status: 'pending', replay: 1 });
    await control.write(attempt(made, { replay: 1 }));
    expect((await deliveryOnce(control, made.id, 'delivered')).attempts).toMatchObject([
      { replay: 0, attempt: 4 },
      { replay: 1, attempt: 1 },
    ]);
    expect((await deadLetterOf(control, made)).replayed_at).not.toBeNull();
  });

  it('given header names that jsonb rejects or every object has, then they are shown, and replayed unchanged', async () => {
    const made = await newDelivery(control, endpointId);
    const { headers = {}, ...dead } = deadLetter(made);
    const strange = ['a\0b', '\0', '__proto__', 'constructor', '', 'ä€', '\x01YQ=='].map(
      (name) => [name, name] as const,
    );
    const all = Object.fromEntries([...Object.entries(headers), ...strange]);
    await control.write({ ...dead, headers: all });

    const { id } = await deadLetterOf(control, made);
    const shown: Record<string, string> = (await control.get(`/v1/dead-letters/${id}`)).body.headers_base64;
    const texts = Object.entries(shown).map(
      ([name, value]) => [name, Buffer.from(value, 'base64').toString()] as const,
    );
    expect(new Map(texts)).toEqual(new Map(Object.entries(all)));

    expect((await control.post(`/v1/dead-letters/${id}/replay`)).status).toBe(202);
    const ours = () =>
      deliveries.records.find((record) => decodeDelivery(record.headers.posthorn)?.deliveryId === made.id);
    await until('the record is back', () => ours() !== undefined);
    const sent = Object.entries(ours()?.headers ?? {}).map(([name, value]) => [name, String(value)] as const);
    expect(new Map(sent)).toEqual(new Map(Object.entries({ ...all, 'posthorn-mac': expect.any(String) })));
  });

  it('given a replay outside control, then the later life marks the dead letter as replayed', async () => {
    const made = await newDelivery(control, endpointId);
    await control.write(deadLetter(made));
    expect((await deadLetterOf(control, made)).replayed_at).toBeNull();
    await control.write(attempt(made, { replay: 1 }));
    await until('it is marked', async () => (await deadLetterOf(control, made)).replayed_at !== null);
  });

  it('given dead letters, then they are counted by reason, without replayed ones', async () => {
    const stats = (await control.get(`/v1/dead-letters/stats?endpoint_id=${endpointId}`)).body;
    const [{ total, pending }] = (await control.database.query<{ total: number; pending: number }>(
      'SELECT count(*) AS total, count(*) FILTER (WHERE replayed_at IS NULL) AS pending FROM dead_letters WHERE endpoint_id = $1',
      [endpointId],
    )) as [{ total: number; pending: number }];
    expect(total).toBeGreaterThan(pending);
    expect(stats).toMatchObject({
      total,
      pending,
      reasons: { max_retries: { total, pending }, expired: { total: 0 } },
    });
    const waiting = (await control.get(`/v1/dead-letters?endpoint_id=${endpointId}&replayed=false`)).body.items;
    expect(waiting).toHaveLength(pending);
  });
});

describe('deliveries', () => {
  it('given a delivered delivery, then it can be sent again from the archive', async () => {
    const made = await newDelivery(control, endpointId);
    await control.write(attempt(made));
    await deliveryOnce(control, made.id, 'delivered');
    expect(await control.post(`/v1/deliveries/${made.id}/retry`)).toMatchObject({ status: 202, body: { replay: 1 } });
    const ours = () =>
      deliveries.records.find(({ headers }) => decodeDelivery(headers.posthorn)?.deliveryId === made.id);
    await until('it is sent again', () => ours() !== undefined);
    expect(decodeDelivery(ours()?.headers.posthorn)).toMatchObject({
      attempt: 0,
      replay: 1,
      acceptedAt: made.acceptedAt,
    });
    expect(JSON.parse(String(ours()?.value))).toMatchObject({
      id: made.eventId,
      sequence: 41,
      resource_id: 'inv-1',
      data: { n: 12 },
    });
    expect(String(ours()?.key)).toBe(made.lane);
  });

  it('given a dead delivery, then a retry replays its dead letter', async () => {
    const made = await newDelivery(control, endpointId);
    await control.write(deadLetter(made));
    await deliveryOnce(control, made.id, 'dead');
    expect(await control.post(`/v1/deliveries/${made.id}/retry`)).toMatchObject({ status: 202, body: { replay: 1 } });
    expect((await deadLetterOf(control, made)).replayed_at).not.toBeNull();
  });

  it('given stored and pending deliveries, then the pages have each once, newest first, and filters apply', async () => {
    const { id } = await newEndpoint();
    const made: Made[] = [];
    for (let index = 0; index < 7; index++) made.push(await newDelivery(control, id));
    await control.write(...made.filter((_, index) => index % 2 === 0).map((delivery) => attempt(delivery)));
    await deliveryOnce(control, made[6]?.id ?? '', 'delivered');
    const pages = async (query: string) => {
      const seen: { id: string; accepted_at: string }[] = [];
      for (let cursor: string | null = ''; cursor !== null; ) {
        const after: string = cursor === '' ? '' : `&cursor=${cursor}`;
        const { body }: Answer = await control.get(`/v1/deliveries?endpoint_id=${id}&limit=2${query}${after}`);
        seen.push(...body.items);
        cursor = body.next_cursor;
      }
      return seen;
    };
    const all = await pages('');
    expect(all.map((item) => item.id).sort()).toEqual(made.map((item) => item.id).sort());
    const times = all.map((item) => item.accepted_at);
    expect(times).toEqual([...times].sort().reverse());
    expect(await pages('&status=pending')).toHaveLength(3);
    expect(await pages('&status=delivered')).toHaveLength(4);
    expect(await pages('&status=parked')).toHaveLength(0);
    expect(await pages('&type=other.type')).toHaveLength(0);
    expect(await pages(`&until=${new Date(made[0]?.acceptedAt ?? 0).toISOString()}`)).toHaveLength(0);
  });
});
