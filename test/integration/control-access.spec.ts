import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { generateApiKey } from '#common/api-keys/api-key.js';
import { API_KEYS_TOPIC, ENDPOINTS_TOPIC } from '#common/records/topics.js';
import { openApiDocument } from '../../apps/control/src/openapi.js';
import { type Answer, ControlApp } from '../support/control-app.js';
import '../support/quiet.js';
import { freshDatabase, freshTopicPrefix, type TestDatabase } from '../support/servers.js';
import { until } from '../support/until.js';

let server: TestDatabase;
let control: ControlApp;

beforeAll(async () => {
  server = await freshDatabase();
  control = await ControlApp.start({ databaseUrl: server.url });
});
afterAll(async () => {
  await control.stop();
  await server.drop();
});

const endpointFor = async (key: string, tenant?: string): Promise<string> => {
  const body = { url: 'http://127.0.0.1:9/', event_types: ['*'], ...(tenant ? { tenant } : {}) };
  return (await control.post('/v1/endpoints', body, key)).body.id;
};

/** Every documented route, with an unknown id in each parameter. */
function routes(): { method: 'GET' | 'POST' | 'PATCH' | 'DELETE'; url: string }[] {
  return Object.entries(openApiDocument(control.app).paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => ({
      method: method.toUpperCase() as 'GET',
      url: path.replace('{id}', 'made-up'),
    })),
  );
}

describe('methods', () => {
  it('given any path and an unsupported method, then 405 names the supported methods', async () => {
    for (const [url, known] of Map.groupBy(routes(), ({ url }) => url)) {
      const answer = await control.request('PUT', url);
      expect({ url, status: answer.status, code: answer.body.code }).toEqual({
        url,
        status: 405,
        code: 'METHOD_NOT_ALLOWED',
      });
      const methods = known.map(({ method }) => method);
      expect(String(answer.headers.allow).split(', ')).toEqual(expect.arrayContaining(methods));
    }
    expect((await control.request('PUT', '/v1/nothing')).status).toBe(404);
  });
});

describe('API keys', () => {
  it('given no key, or an unknown one, then every route answers 401', async () => {
    expect(routes().length).toBeGreaterThanOrEqual(18);
    for (const { method, url } of routes()) {
      for (const key of ['', generateApiKey().text]) {
        const answer = await control.request(method, url, method === 'PATCH' ? {} : undefined, key);
        expect({ method, url, status: answer.status, code: answer.body.code }).toEqual({
          method,
          url,
          status: 401,
          code: 'UNAUTHENTICATED',
        });
      }
    }
  });

  it.each(['/metrics', '/health/live', '/health/ready', '/openapi.json'])(
    'given no key, then %s answers, and OpenAPI does not list it',
    async (url) => {
      expect((await control.get(url, '')).status).toBe(200);
      expect(routes().map((route) => route.url)).not.toContain(url);
    },
  );

  it('given a key with the scope read only, then every change is forbidden', async () => {
    const reader = await control.keyFor('readers', ['read']);
    expect((await control.get('/v1/endpoints', reader)).status).toBe(200);
    for (const { method, url } of routes().filter(({ method }) => method !== 'GET')) {
      const answer = await control.request(method, url, {}, reader);
      expect({ url, status: answer.status }).toEqual({ url, status: 403 });
    }
    expect((await control.get('/v1/api-keys', reader)).status).toBe(403);
  });

  it('given a new key, then its text is returned once and only its hash is stored', async () => {
    const { status, body } = await control.post('/v1/api-keys', {
      tenant: 'acme',
      scopes: ['read'],
      description: 'ci',
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({ tenant: 'acme', scopes: ['read'], description: 'ci', expires_at: null });
    const listed = (await control.get('/v1/api-keys?tenant=acme')).body.items;
    expect(listed).toMatchObject([{ id: body.id, tenant: 'acme' }]);
    const keys = await control.table(API_KEYS_TOPIC);
    const kept = JSON.stringify([listed, ...keys.values(), await control.database.query('SELECT * FROM api_keys')]);
    expect(kept).not.toContain(body.key);
  });

  it('given a key that is revoked, then it stops working', async () => {
    const key = await control.keyFor('revoked', ['read']);
    const id = key.split('_')[1];
    expect(await control.delete(`/v1/api-keys/${id}`)).toMatchObject({ status: 204 });
    await until('the key is refused', async () => (await control.get('/v1/endpoints', key)).status === 401);
    expect(await control.delete(`/v1/api-keys/${id}`)).toMatchObject({ status: 404 });
  });

  it('given a key that expires, then it stops working', async () => {
    const expires_at = new Date(Date.now() + 2_000).toISOString();
    const { body } = await control.post('/v1/api-keys', { tenant: 'short', scopes: ['read'], expires_at });
    await until('the key works', async () => (await control.get('/v1/endpoints', body.key)).status === 200, 1_900);
    await until('the key is refused', async () => (await control.get('/v1/endpoints', body.key)).status === 401);
  });

  it('given no tenant, then the key belongs to the default tenant', async () => {
    const { status, body } = await control.post('/v1/api-keys', { scopes: ['read'] });
    expect({ status, tenant: body.tenant }).toEqual({ status: 201, tenant: 'default' });
  });

  it('given a tenant of null, then the key acts for all tenants', async () => {
    const { status, body } = await control.post('/v1/api-keys', { tenant: null, scopes: ['read'] });
    expect({ status, tenant: body.tenant }).toEqual({ status: 201, tenant: null });
  });

  it.each([
    { given: 'no scope', body: { scopes: [] }, field: 'scopes' },
    { given: 'an unknown scope', body: { scopes: ['root'] }, field: 'scopes[0]' },
    { given: 'a bad tenant', body: { scopes: ['read'], tenant: 'a b' }, field: 'tenant' },
    { given: 'an invalid time', body: { scopes: ['read'], expires_at: 'soon' }, field: 'expires_at' },
    {
      given: 'a time in the past',
      body: { scopes: ['read'], expires_at: '2020-01-01T00:00:00Z' },
      field: 'expires_at',
    },
  ])('given $given, then 400', async ({ body, field }) => {
    expect(await control.post('/v1/api-keys', body)).toMatchObject({ status: 400, body: { errors: [{ field }] } });
  });
});

describe('tenants', () => {
  it('given two tenants, then neither can read or change the other’s data, on any route', async () => {
    const [alice, bob] = [await control.keyFor('alice'), await control.keyFor('bob')];
    const endpoint = await endpointFor(alice);
    const { event_id, delivery_id } = (await control.post(`/v1/endpoints/${endpoint}/test`, undefined, alice)).body;
    const aliceKey = alice.split('_')[1];
    const found = async (url: string, key: string) => (await control.get(url, key)).status;
    expect(await found(`/v1/endpoints/${endpoint}`, alice)).toBe(200);
    expect(await found(`/v1/deliveries/${delivery_id}`, alice)).toBe(200);

    const attempts: [string, Promise<Answer>][] = [
      ['get endpoint', control.get(`/v1/endpoints/${endpoint}`, bob)],
      ['change endpoint', control.patch(`/v1/endpoints/${endpoint}`, { enabled: false }, bob)],
      ['delete endpoint', control.delete(`/v1/endpoints/${endpoint}`, bob)],
      ['test endpoint', control.post(`/v1/endpoints/${endpoint}/test`, undefined, bob)],
      ['rotate', control.post(`/v1/endpoints/${endpoint}/secret/rotate`, undefined, bob)],
      ['get event', control.get(`/v1/events/${event_id}`, bob)],
      ['get delivery', control.get(`/v1/deliveries/${delivery_id}`, bob)],
      ['retry delivery', control.post(`/v1/deliveries/${delivery_id}/retry`, undefined, bob)],
      ['revoke key', control.delete(`/v1/api-keys/${aliceKey}`, bob)],
    ];
    for (const [what, answer] of attempts) expect([what, (await answer).status]).toEqual([what, 404]);

    const lists = ['endpoints', 'events', 'deliveries', 'dead-letters', 'api-keys'];
    for (const list of lists) {
      const own = (await control.get(`/v1/${list}`, bob)).body.items as { tenant: string }[];
      expect([list, own.filter(({ tenant }) => tenant !== 'bob')]).toEqual([list, []]);
      expect([list, (await control.get(`/v1/${list}?tenant=alice`, bob)).status]).toEqual([list, 403]);
    }
    expect((await control.get(`/v1/deliveries?event_id=${event_id}`, bob)).body.items).toEqual([]);
    expect((await control.get('/v1/dead-letters/stats?tenant=alice', bob)).status).toBe(403);
  });

  it("given a tenant's key, then it creates objects of its tenant only, and cannot name another tenant", async () => {
    const key = await control.keyFor('carol');
    const endpoint = await endpointFor(key);
    expect((await control.get(`/v1/endpoints/${endpoint}`)).body.tenant).toBe('carol');
    const body = { url: 'http://127.0.0.1:9/', event_types: ['*'], tenant: 'dave' };
    expect(await control.post('/v1/endpoints', body, key)).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
    expect((await control.post('/v1/api-keys', { scopes: ['admin'], tenant: 'dave' }, key)).status).toBe(403);
    expect((await control.post('/v1/api-keys', { scopes: ['admin'], tenant: null }, key)).status).toBe(403);
    expect((await control.post('/v1/api-keys', { scopes: ['read'] }, key)).body.tenant).toBe('carol');
  });

  it('given an admin key, then it lists all tenants, or the named one', async () => {
    const endpoint = await endpointFor(control.adminKey, 'erin');
    const of = async (query: string) =>
      (await control.get(`/v1/endpoints?limit=200${query}`)).body.items as { id: string }[];
    expect((await of('')).map(({ id }) => id)).toContain(endpoint);
    expect((await of('&tenant=erin')).map(({ id }) => id)).toEqual([endpoint]);
  });
});

describe('the last admin key of all tenants', () => {
  const createAdmin = async (over: object = {}): Promise<string> =>
    (await control.post('/v1/api-keys', { tenant: null, scopes: ['admin'], ...over })).body.id;

  it('given no other valid admin key, when the key is revoked, then 409, and the key still works', async () => {
    const expired = await createAdmin();
    await control.database.query('UPDATE api_keys SET expires_at = now() WHERE id = $1', [expired]);
    await createAdmin({ tenant: 'acme' });
    const url = `/v1/api-keys/${control.adminKey.split('_')[1]}`;

    expect(await control.delete(url)).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });

    expect((await control.get('/v1/api-keys')).body.items).toContainEqual(
      expect.objectContaining({ id: control.adminKey.split('_')[1] }),
    );
    expect((await control.delete(`/v1/api-keys/${expired}`)).status).toBe(204);
  });

  it('given two admin keys, when both are revoked at once, then one stays', async () => {
    const other = await createAdmin();
    const answers: Promise<Answer>[] = [];
    await control.database.transaction(async (tx) => {
      await tx.query('DELETE FROM api_keys WHERE id = $1', [other]);
      answers.push(control.delete(`/v1/api-keys/${control.adminKey.split('_')[1]}`));
      await until('the second waits for the first', async () => {
        const waiting = await control.database.query(
          `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        return waiting.length > 0;
      });
    });

    expect(await answers[0]).toMatchObject({ status: 409 });
  });
});

describe('configuration topics', () => {
  it('given new or lost topics, then a start fills them, and the admin key is unchanged', async () => {
    const endpoint = await endpointFor(control.adminKey, 'frank');
    const deleted = await endpointFor(control.adminKey, 'frank');
    await control.delete(`/v1/endpoints/${deleted}`);
    const { adminKey, secretKeys } = control;
    await control.stop();

    control = await ControlApp.start({ databaseUrl: server.url, prefix: freshTopicPrefix(), adminKey, secretKeys });

    const endpoints = await control.table(ENDPOINTS_TOPIC);
    await until('the endpoint is back', () => endpoints.has(endpoint));
    expect(endpoints.has(deleted)).toBe(false);
    expect((await control.get('/v1/api-keys')).body.items.length).toBeGreaterThan(1);
  });
});
