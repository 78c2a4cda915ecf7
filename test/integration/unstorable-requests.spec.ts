import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openApiDocument } from '../../apps/control/src/openapi.js';
import { ControlApp } from '../support/control-app.js';
import { IngestApp } from '../support/ingest-app.js';
import '../support/quiet.js';
import { freshDatabase, testBrokers } from '../support/servers.js';
import { variantsOf } from '../support/text-variants.js';
import { until } from '../support/until.js';

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
}

interface Route {
  readonly method: Method;
  readonly path: string;
  readonly parameters: readonly Parameter[];
}

interface Refusal {
  readonly request: string;
  readonly status: number;
  readonly body: { readonly code?: string };
}

const HOOK = 'http://127.0.0.1:9/';
/** Values encoded for URLs. */
const UNSTORABLE = ['%00', 'a%00b', '%00'.repeat(20)];
/** Values encoded for JSON. */
const TEXTS = ['a\0b', '\0', 'a\ud800', '\udc00b'];
const NOW = 1_790_000_000_000;
const cursor = (position: unknown) => Buffer.from(JSON.stringify(position)).toString('base64url');
const laneId = (text: string) => Buffer.from(text).toString('base64url');

/** Invalid texts of parameters with a format. */
const OF_PARAMETER: Readonly<Record<string, readonly string[]>> = {
  since: ['0000-01-01T00:00:00Z', '2026-01-01T00:00:00%2B23:59', `2026-01-01T00:00:00.${'1'.repeat(300)}Z`],
  until: ['0000-12-31T23:59:59Z', '2026-01-01T00:00:00-23:59', `2026-01-01T00:00:00.${'1'.repeat(300)}Z`],
  cursor: [[-8.64e15], [8.64e15], [-62_198_755_200_000], [NOW, '\0'], [NOW, '\ud800']].flatMap((start) =>
    [[], ['a'], ['a', 'b']].map((more) => cursor([...start, ...more].slice(0, 3))),
  ),
  limit: ['0', '1e400', '99999999999999999999', 'NaN'],
};
const LANE_IDS = ['a\nb\0', '\0\nb', '\0\n\0'].map(laneId);

/** A valid body for each route of control with a body. */
const BODIES: Readonly<Record<string, object>> = {
  'POST /v1/endpoints': {
    url: HOOK,
    event_types: ['a'],
    tenant: 'acme',
    headers: { own: 'x' },
    retry_policy: { preset: 'quick' },
    signature_header: 'sig',
    description: 'a',
  },
  'PATCH /v1/endpoints/{id}': { url: HOOK, event_types: ['a'], headers: { own: 'x' }, description: 'a' },
  'POST /v1/endpoints/{id}/secret/rotate': { overlap_s: 1 },
  'POST /v1/api-keys': { tenant: 'acme', scopes: ['read'], description: 'a', expires_at: '2090-01-01T00:00:00Z' },
  'POST /v1/endpoints/{id}/recover': { since: '2026-01-01T00:00:00Z', until: '2026-01-02T00:00:00Z' },
  'POST /v1/dead-letters/replay': {
    tenant: 'acme',
    endpoint_id: 'ep_1',
    type: 'a',
    since: '2026-01-01T00:00:00Z',
    until: '2026-01-02T00:00:00Z',
  },
};
const BAD_TIMES = ['0000-01-01T00:00:00Z', '2026-01-01T00:00:00+23:59'];

describe('control', () => {
  let control: ControlApp;
  let endpointId: string;

  beforeAll(async () => {
    control = await ControlApp.start();
    endpointId = (await control.post('/v1/endpoints', { url: HOOK, event_types: ['a'] })).body.id;
  });
  afterAll(() => control.stop());

  function routes(): Route[] {
    const paths = openApiDocument(control.app).paths as Record<string, Record<string, { parameters?: Parameter[] }>>;
    return Object.entries(paths).flatMap(([path, byMethod]) =>
      Object.entries(byMethod).map(([method, { parameters = [] }]) => {
        return { method: method.toUpperCase() as Method, path, parameters };
      }),
    );
  }

  /** @returns the route's URL with this text for one parameter; the others are valid, or left out */
  function urlWith({ path, parameters }: Route, { name, in: place }: Parameter, text: string): string {
    if (place === 'path') return path.replace(`{${name}}`, text);
    const isOfEndpoint = name !== 'endpoint_id' && parameters.some((one) => one.name === 'endpoint_id');
    return `${path.replace('{id}', endpointId)}?${isOfEndpoint ? `endpoint_id=${endpointId}&` : ''}${name}=${text}`;
  }

  async function send(method: Method, url: string, body?: unknown): Promise<Refusal> {
    const answer = await control.request(method, url, body);
    return { request: `${method} ${url} ${JSON.stringify(body ?? '')}`, status: answer.status, body: answer.body };
  }

  const isRefused = ({ status, body }: Refusal) =>
    (status === 400 && body.code === 'BODY_INVALID') || (status === 404 && body.code === 'NOT_FOUND');

  it('given NUL, or a position or time that PostgreSQL rejects, in any parameter of any route, then 400 or 404', async () => {
    const answers: Refusal[] = [];
    for (const route of routes()) {
      const { method, path, parameters } = route;
      for (const parameter of parameters) {
        const laneIds = path.startsWith('/v1/lanes') && parameter.in === 'path' ? LANE_IDS : [];
        for (const text of [...UNSTORABLE, ...laneIds, ...(OF_PARAMETER[parameter.name] ?? [])]) {
          answers.push(await send(method, urlWith(route, parameter, text), BODIES[`${method} ${path}`]));
        }
      }
    }
    expect(answers.filter((answer) => !isRefused(answer))).toEqual([]);
    expect(new Set(answers.map(({ request }) => request.split('?')[0])).size).toBeGreaterThan(routes().length);
  });

  it('given NUL or a lone surrogate in any text or name of any body, then 400', async () => {
    const answers: Refusal[] = [];
    for (const [route, body] of Object.entries(BODIES)) {
      const [method, path] = route.split(' ') as [Method, string];
      const texts = [
        ...TEXTS.flatMap((text) => variantsOf(body, text)),
        ...BAD_TIMES.flatMap((at) => timesOf(body, at)),
      ];
      for (const variant of texts) answers.push(await send(method, path.replace('{id}', endpointId), variant));
    }
    const isUrl = ({ status, body }: Refusal) => status === 422 && body.code === 'URL_NOT_ALLOWED';
    expect(answers.filter((answer) => !isRefused(answer) && !isUrl(answer))).toEqual([]);
    expect(answers.length).toBeGreaterThan(100);
  });

  it('given an event with data nested 100 000 deep, then the API returns it unchanged, as numbers of any length', async () => {
    const data = `{"n":12345678901234567890,"deep":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    await control.database.query(
      `INSERT INTO events (tenant, id, type, resource_id, occurred_at, accepted_at, source_partition, source_offset, endpoint_ids, data)
       VALUES ('acme', 'evt-deep', 'a', 'r', now(), now(), 0, 1, '{}', $1)`,
      [data],
    );
    const headers = { authorization: `Bearer ${control.adminKey}` };
    const answer = await control.app.inject({ method: 'GET', url: '/v1/events/evt-deep', headers });
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([200, 'application/json; charset=utf-8']);
    expect(answer.body.endsWith(`,"data":${data}}`)).toBe(true);
    expect(answer.json()).toMatchObject({ id: 'evt-deep', tenant: 'acme', endpoint_ids: [] });
    expect((await control.get('/v1/events/none')).headers['content-type']).toContain('application/problem+json');
  });

  it('given the document, then each route with a body is tested', () => {
    const paths = openApiDocument(control.app).paths as Record<string, Record<string, object>>;
    const withBody = Object.entries(paths).flatMap(([path, byMethod]) =>
      Object.entries(byMethod).flatMap(([method, one]) =>
        'requestBody' in one ? [`${method.toUpperCase()} ${path}`] : [],
      ),
    );
    expect(Object.keys(BODIES).sort()).toEqual(withBody.sort());
  });
});

/** Copies of a body, each with one of its times replaced. */
function timesOf(body: object, at: string): object[] {
  return ['since', 'until'].filter((name) => name in body).map((name) => ({ ...body, [name]: at }));
}

describe('ingest', () => {
  const event = (id: string) => ({
    id,
    type: 'a',
    tenant: 'acme',
    resource_id: 'r',
    occurred_at: '2026-01-31T09:30:00Z',
    data: { text: 'a' },
  });
  const cloudEvent = (id: string) => {
    return { specversion: '1.0', id, source: '/', type: 'a', subject: 'r', tenant: 'acme', data: 'a' };
  };
  let ingest: IngestApp;
  let key: string;
  let count = 0;

  beforeAll(async () => {
    const { url } = await freshDatabase();
    ingest = await IngestApp.start({ brokers: testBrokers(), databaseUrl: url });
    key = await ingest.keyFor(null);
  });
  afterAll(() => ingest.stop());

  it.each([
    ['/v1/events', 'application/json', event],
    ['/v1/events/batch', 'application/json', (id: string) => [event(id)]],
    ['/v1/events', 'application/cloudevents+json', cloudEvent],
    ['/v1/events/batch', 'application/cloudevents-batch+json', (id: string) => [cloudEvent(id)]],
  ])(
    'given NUL or a lone surrogate anywhere in a body of %s, %s, then 400, or it is archived',
    async (path, type, bodyOf) => {
      const places = variantsOf(bodyOf(''), '').length;
      const taken: string[] = [];
      for (const text of TEXTS) {
        for (let at = 0; at < places; at++) {
          const id = `evt-${count++}`;
          const body = JSON.stringify(variantsOf(bodyOf(id), text)[at]);
          const answer = await ingest.post(`${path}?x=%00`, body, key, { 'content-type': type });
          if (answer.status === 202) taken.push(id);
          else expect(answer).toMatchObject({ status: 400, body: { code: 'BODY_INVALID' } });
        }
      }
      expect(taken.length).toBeGreaterThanOrEqual(TEXTS.length);
      await until('what was taken is archived', async () => {
        const rows = await ingest.database.query('SELECT id FROM events WHERE id = ANY ($1)', [taken]);
        return rows.length === taken.length;
      });
    },
  );
});
