import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ControlApp } from '../support/control-app.js';
import '../support/quiet.js';

const URL = 'http://127.0.0.1:9/hook';

let control: ControlApp;

beforeAll(async () => {
  control = await ControlApp.start();
});
afterAll(() => control.stop());

describe('bodies of requests', () => {
  it.each([
    { given: 'an empty object', body: {}, fields: ['url', 'event_types'] },
    { given: 'unknown fields', body: { url: URL, event_types: ['*'], colour: 1, size: 2 }, fields: ['colour', 'size'] },
    { given: 'a bad wildcard', body: { url: URL, event_types: ['a', '*.b'] }, fields: ['event_types[1]'] },
    { given: 'no types', body: { url: URL, event_types: [] }, fields: ['event_types'] },
    { given: 'a short timeout', body: { url: URL, event_types: ['*'], timeout_ms: 10 }, fields: ['timeout_ms'] },
    {
      given: 'a reserved header',
      body: { url: URL, event_types: ['*'], headers: { Host: 'a' } },
      fields: ['headers.Host'],
    },
    {
      given: 'our header',
      body: { url: URL, event_types: ['*'], headers: { 'webhook-x': 'a' } },
      fields: ['headers.webhook-x'],
    },
    {
      given: 'a header injection',
      body: { url: URL, event_types: ['*'], headers: { a: 'b\r\nc: d' } },
      fields: ['headers.a'],
    },
    {
      given: 'one header twice',
      body: { url: URL, event_types: ['*'], headers: { a: '1', A: '2' } },
      fields: ['headers'],
    },
    {
      given: 'a signature over a header',
      body: { url: URL, event_types: ['*'], headers: { sig: '1' }, signature_header: 'Sig' },
      fields: ['signature_header'],
    },
    {
      given: 'a bad policy',
      body: { url: URL, event_types: ['*'], retry_policy: { delays_s: [1, 'x'] } },
      fields: ['retry_policy.delays_s[1]'],
    },
    { given: 'a NUL', body: { url: URL, event_types: ['*'], description: 'a\0b' }, fields: ['description'] },
    { given: 'a list', body: [], fields: ['body'] },
  ])('given $given, then 400 names the field', async ({ body, fields }) => {
    const answer = await control.post('/v1/endpoints', body);
    expect(answer).toMatchObject({ status: 400, body: { code: 'BODY_INVALID' } });
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.body.errors.map(({ field }: { field: string }) => field)).toEqual(fields);
  });

  it('given a body that is not JSON, then 400', async () => {
    const headers = { authorization: `Bearer ${control.adminKey}`, 'content-type': 'application/json' };
    const answer = await control.app.inject({ method: 'POST', url: '/v1/endpoints', headers, payload: '{"url"' });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ code: 'BODY_INVALID' });
  });

  it.each(['application/x-www-form-urlencoded', 'text/plain', 'application/octet-stream', 'json', undefined])(
    'given a body of the type %s, then 415',
    async (type) => {
      const payload = Buffer.from(JSON.stringify({ url: URL, event_types: ['*'] }));
      const headers = { authorization: `Bearer ${control.adminKey}`, ...(type ? { 'content-type': type } : {}) };

      const answer = await control.app.inject({ method: 'POST', url: '/v1/endpoints', headers, payload });

      expect(answer.json()).toMatchObject({ status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' });
    },
  );

  it('given a content type without a body, then the request is valid', async () => {
    const { id } = (await control.post('/v1/endpoints', { url: URL, event_types: ['*'] })).body;
    const headers = { authorization: `Bearer ${control.adminKey}`, 'content-type': 'application/json' };
    const post = (url: string) => control.app.inject({ method: 'POST', url, headers });
    expect((await post(`/v1/endpoints/${id}/secret/rotate`)).statusCode).toBe(200);
    expect((await post(`/v1/endpoints/${id}/pause`)).statusCode).toBe(200);
    expect((await post('/v1/endpoints')).json()).toMatchObject({
      status: 400,
      errors: [{ field: 'body', message: 'is required' }],
    });
  });

  it.each([
    { given: 'malformed', id: '%zz', detail: 'the path is not well-formed' },
    { given: 'longer than any id', id: 'a'.repeat(3_000), detail: 'a part of the path is too long' },
  ])('given a path that is $given, then 400 with this detail', async ({ id, detail }) => {
    const answer = await control.get(`/v1/endpoints/${id}`);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.body).toMatchObject({ status: 400, code: 'BODY_INVALID', detail });
  });

  it('given an unknown path and a body of another type, then 404', async () => {
    const headers = { 'content-type': 'text/plain' };
    const answer = await control.app.inject({ method: 'POST', url: '/v1/nothing', headers, payload: 'x' });
    expect(answer.statusCode).toBe(404);
  });
});
