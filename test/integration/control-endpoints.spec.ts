import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeDelivery } from '#common/records/delivery-record.js';
import { type EndpointRecord, endpointRecordSchema } from '#common/records/endpoint-record.js';
import { DELIVERIES_TOPIC, ENDPOINTS_TOPIC } from '#common/records/topics.js';
import { Sealer, sealingContext } from '#common/security/sealing.js';
import { ControlApp } from '../support/control-app.js';
import '../support/quiet.js';
import { until } from '../support/until.js';

const URL = 'http://127.0.0.1:9/hook';

let control: ControlApp;
let published: Map<string, unknown>;

beforeAll(async () => {
  control = await ControlApp.start();
  published = await control.table(ENDPOINTS_TOPIC);
});
afterAll(() => control.stop());

const create = async (over: Record<string, unknown> = {}) => {
  const answer = await control.post('/v1/endpoints', { url: URL, event_types: ['*'], ...over });
  expect(answer).toMatchObject({ status: 201 });
  return answer.body as { id: string; secret: string };
};

/** Waits until the endpoint's record in the topic satisfies the condition. @returns the record */
async function record(id: string, condition: (record: EndpointRecord) => boolean = () => true) {
  await until(`endpoint ${id} is published`, () => published.has(id) && condition(published.get(id) as EndpointRecord));
  return endpointRecordSchema.parse(published.get(id));
}

const stringsOfTable = async () =>
  JSON.stringify([
    await control.database.query('SELECT * FROM endpoints'),
    await control.database.query('SELECT * FROM endpoint_secrets'),
    await control.database.query('SELECT * FROM audit_log'),
  ]);

describe('endpoints', () => {
  it('given only required fields, then the others have their defaults', async () => {
    const { body } = await control.post('/v1/endpoints', { url: URL, event_types: ['invoice.*'] });
    expect(body).toMatchObject({
      id: expect.stringMatching(/^ep_/),
      secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/=]{44}$/),
      tenant: 'default',
      url: URL,
      event_types: ['invoice.*'],
      ordering: 'resource',
      retry_policy: { delays_s: [4, 16, 64], jitter: 'none', permanent_statuses: [] },
      payload: 'full',
      header_names: [],
      timeout_ms: 10_000,
      max_in_flight: 32,
      signature_header: null,
      description: null,
      status: 'active',
      secrets: [{ age_days: 0, expires_at: null }],
    });
  });

  it('given an endpoint, then its topic has its record within 500 ms', async () => {
    const startedAt = Date.now();
    const { id } = await create();
    const createdMs = Date.now() - startedAt;
    await record(id);
    expect(Date.now() - startedAt - createdMs).toBeLessThan(400);
  });

  it('given secrets, then they are returned once, stored sealed, and can be opened for their endpoint', async () => {
    const { id, secret } = await create({ headers: { authorization: 'Bearer s3cret-header' } });
    const shown = JSON.stringify((await control.get(`/v1/endpoints/${id}`)).body);
    const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
    for (const text of [shown, await stringsOfTable(), JSON.stringify([...published])]) {
      expect(text).not.toContain(secret.slice('whsec_'.length));
      expect(text).not.toContain('s3cret-header');
    }
    const { secrets, headers_sealed, tenant } = await record(id);
    const sealer = new Sealer(control.secretKeys);
    expect(sealer.open(secrets[0]?.sealed ?? '', sealingContext(tenant, id, 'secret'))).toEqual(key);
    expect(sealer.open(headers_sealed ?? '', sealingContext(tenant, id, 'headers')).toString()).toBe(
      '{"authorization":"Bearer s3cret-header"}',
    );
  });

  it.each(['http://10.0.0.1/', 'ftp://example.com/', 'nonsense', 'https://user:pw@example.com/'])(
    'given the URL %s, then 422',
    async (url) => {
      const answer = await control.post('/v1/endpoints', { url, event_types: ['*'] });
      expect(answer).toMatchObject({ status: 422, body: { code: 'URL_NOT_ALLOWED', errors: [{ field: 'url' }] } });
    },
  );

  it('given a change, then only the named fields change, and the version grows', async () => {
    const { id } = await create({ description: 'first', headers: { 'x-a': '1' } });
    const before = await record(id);
    const { status, body } = await control.patch(`/v1/endpoints/${id}`, {
      description: null,
      retry_policy: { preset: 'gentle' },
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      description: null,
      header_names: ['x-a'],
      url: URL,
      retry_policy: { jitter: 'full' },
    });
    const after = await record(id, ({ version }) => version === before.version + 1);
    expect(after).toMatchObject({
      retry_policy: { permanentStatuses: [401, 404] },
      headers_sealed: before.headers_sealed,
    });
  });

  it('given a change that lets the signature overwrite a header, then 400', async () => {
    const { id } = await create({ headers: { 'x-sig': '1' } });
    expect(await control.patch(`/v1/endpoints/${id}`, { signature_header: 'X-Sig' })).toMatchObject({ status: 400 });
  });

  it('given an endpoint that is disabled and enabled, then both changes are announced', async () => {
    const { id } = await create();
    await control.patch(`/v1/endpoints/${id}`, { enabled: false });
    expect(await record(id, ({ enabled }) => !enabled)).toMatchObject({ enabled: false });
    const shown = await control.get(`/v1/endpoints/${id}`);
    expect(shown.body).toMatchObject({ status: 'disabled', disabled_reason: 'operator' });
    expect(await control.post(`/v1/endpoints/${id}/test`)).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
    await control.patch(`/v1/endpoints/${id}`, { enabled: true });
    expect(await record(id, ({ enabled }) => enabled)).toMatchObject({ version: 3 });
  });

  it('given a deleted endpoint, then it is not found, and its topic has a tombstone', async () => {
    const { id } = await create();
    await record(id);
    expect(await control.delete(`/v1/endpoints/${id}`)).toMatchObject({ status: 204 });
    await until('the tombstone is read', () => !published.has(id));
    expect(await control.get(`/v1/endpoints/${id}`)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect(await control.delete(`/v1/endpoints/${id}`)).toMatchObject({ status: 404 });
  });

  it('given a rotation, then both secrets are valid until the overlap ends', async () => {
    const first = await create();
    const { status, body } = await control.post(`/v1/endpoints/${first.id}/secret/rotate`, { overlap_s: 60 });
    expect(status).toBe(200);
    expect(body.secret).not.toBe(first.secret);
    expect(body.secrets).toMatchObject([{ expires_at: null }, { expires_at: expect.any(String) }]);
    const { secrets } = await record(first.id, ({ version }) => version === 2);
    expect(secrets.map(({ expires_at }) => expires_at === null)).toEqual([true, false]);
    expect((secrets[1]?.expires_at ?? 0) - Date.now()).toBeLessThanOrEqual(60_000);
  });

  it('given an older secret with a longer overlap, when another secret is rotated, then the older one keeps its end', async () => {
    const { id } = await create();
    const rotate = async (overlap_s: number) =>
      (await control.post(`/v1/endpoints/${id}/secret/rotate`, { overlap_s })).body.secrets as { expires_at: string }[];
    const promised = (await rotate(3_600))[1]?.expires_at;

    const ends = (await rotate(60)).map(({ expires_at }) => expires_at);

    expect(ends).toEqual([null, expect.any(String), promised]);
    expect(Date.parse(ends[1] ?? '')).toBeLessThan(Date.parse(promised ?? ''));
  });

  it('given a rotation without overlap, then the new secret alone is valid', async () => {
    const { id } = await create();
    await control.post(`/v1/endpoints/${id}/secret/rotate`, { overlap_s: 60 });
    await control.post(`/v1/endpoints/${id}/secret/rotate`, { overlap_s: 0 });
    expect((await record(id, ({ version }) => version === 3)).secrets).toHaveLength(1);
  });

  it('given a rotation without a body, then the overlap is a day', async () => {
    const { id } = await create();
    const { body } = await control.post(`/v1/endpoints/${id}/secret/rotate`);
    const overlapMs = Date.parse(body.secrets[1].expires_at) - Date.now();
    expect(Math.round(overlapMs / 3_600_000)).toBe(24);
  });

  it('given the largest number of valid secrets, when another is requested, then 409 until one of them ends', async () => {
    const { id } = await create();
    const rotate = () => control.post(`/v1/endpoints/${id}/secret/rotate`);
    for (let rotation = 0; rotation < 4; rotation++) expect((await rotate()).status).toBe(200);
    const { secrets } = (await control.get(`/v1/endpoints/${id}`)).body;
    expect(secrets).toHaveLength(5);

    const refused = await rotate();

    expect(refused).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
    expect(refused.body.detail).toContain(`the first until ${secrets[4].expires_at}`);
    expect((await control.get(`/v1/endpoints/${id}`)).body.secrets).toEqual(secrets);
    await control.database.query(
      'UPDATE endpoint_secrets SET expires_at = now() WHERE endpoint_id = $1 AND expires_at = $2',
      [id, secrets[4].expires_at],
    );
    expect((await rotate()).body.secrets).toHaveLength(5);
  });

  it('given more endpoints than one page, then the pages have each once, newest first', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 5; index++) ids.push((await create({ tenant: 'paged' })).id);
    const seen: { id: string; created_at: string }[] = [];
    let cursor = '';
    do {
      const { body } = await control.get(`/v1/endpoints?tenant=paged&limit=2${cursor && `&cursor=${cursor}`}`);
      seen.push(...body.items);
      cursor = body.next_cursor ?? '';
    } while (cursor);
    expect(seen.map(({ id }) => id).sort()).toEqual(ids.sort());
    const times = seen.map(({ created_at }) => created_at);
    expect(times).toEqual([...times].sort().reverse());
  });

  it.each(['limit=0', 'limit=201', 'cursor=nonsense', 'colour=red'])('given the query %s, then 400', async (query) => {
    expect(await control.get(`/v1/endpoints?${query}`)).toMatchObject({ status: 400, body: { code: 'BODY_INVALID' } });
  });

  it('given a test event, then only this endpoint gets it, signed, and its delivery is pending', async () => {
    const deliveries = await control.follow(DELIVERIES_TOPIC);
    const { id } = await create({ event_types: ['never.matches'], payload: 'full' });
    const { status, body } = await control.post(`/v1/endpoints/${id}/test`);
    expect(status).toBe(202);

    await until('the delivery is written', () => deliveries.records.length > 0);
    const [sent] = deliveries.records;
    expect(decodeDelivery(sent?.headers.posthorn)).toMatchObject({
      deliveryId: body.delivery_id,
      eventId: body.event_id,
      endpointId: id,
      eventType: 'posthorn.test',
      attempt: 0,
      replay: 0,
    });
    expect(JSON.parse(String(sent?.value))).toMatchObject({
      id: body.event_id,
      type: 'posthorn.test',
      data: { endpoint_id: id },
    });
    const pending = { id: body.delivery_id, event_id: body.event_id, endpoint_id: id, status: 'pending', attempts: [] };
    expect((await control.get(`/v1/deliveries?event_id=${body.event_id}`)).body.items).toMatchObject([pending]);
    expect((await control.get(`/v1/deliveries/${body.delivery_id}`)).body).toMatchObject(pending);
    expect((await control.get(`/v1/events/${body.event_id}`)).body).toMatchObject({
      endpoint_ids: [id],
      data: { endpoint_id: id },
    });
    expect(await control.post(`/v1/deliveries/${body.delivery_id}/retry`)).toMatchObject({ status: 409 });
  });

  it('given changes, then the audit log has an entry for each, without secrets, and the outbox is empty', async () => {
    const { id } = await create();
    await control.patch(`/v1/endpoints/${id}`, { timeout_ms: 2_000 });
    await control.delete(`/v1/endpoints/${id}`);
    const lines = await control.database.query('SELECT actor, action FROM audit_log WHERE subject = $1 ORDER BY seq', [
      id,
    ]);
    const actor = control.adminKey.split('_')[1];
    expect(lines).toEqual(
      ['endpoint.created', 'endpoint.changed', 'endpoint.deleted'].map((action) => ({ actor, action })),
    );
    await until('the outbox is empty', async () => (await control.database.query('SELECT 1 FROM outbox')).length === 0);
  });
});
