import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { generateApiKey } from '#common/api-keys/api-key.js';
import { ApiKeyTable } from '#common/api-keys/api-key-table.js';
import { loadConfig } from '#common/config/env.js';
import { ProblemFilter } from '#common/http/problem.filter.js';
import type { OutRecord } from '#common/records/record.js';
import { configSchema } from '../config.js';
import { EventRoutes, ROUTE_LIMITS } from './event-routes.js';
import { createHttpAdapter } from './http-adapter.js';
import { EventPublisher, PUBLISH_PRODUCER, PUBLISHER_LIMITS } from './publisher.js';

const MAX_EVENT_BYTES = 1_024;
const MAX_BATCH_BYTES = 4_096;

describe('EventRoutes', () => {
  const keys = new ApiKeyTable();
  const written: OutRecord[] = [];
  let failure: Error | undefined;
  let app: NestFastifyApplication;
  let writer: string;
  let reader: string;

  beforeAll(async () => {
    [writer, reader] = [addKey('write'), addKey('read')];
    keys.isComplete = true;
    const limits = { maxEventBytes: MAX_EVENT_BYTES, maxEvents: 10, maxBatchBytes: MAX_BATCH_BYTES };
    const waiting = { maxWaitingRequests: 9, maxWaitingBytes: 9_999, timeoutMs: 9_999 };
    const module = await Test.createTestingModule({
      providers: [
        EventRoutes,
        EventPublisher,
        { provide: ApiKeyTable, useValue: keys },
        { provide: ROUTE_LIMITS, useValue: limits },
        { provide: PUBLISHER_LIMITS, useValue: { ...waiting, maxEventBytes: MAX_EVENT_BYTES } },
        { provide: PUBLISH_PRODUCER, useValue: { write } },
      ],
    }).compile();
    const env = { MAX_EVENT_BYTES: String(MAX_EVENT_BYTES), KAFKA_BROKERS: 'b:1', DATABASE_URL: 'postgres://u@h/d' };
    app = module.createNestApplication<NestFastifyApplication>(createHttpAdapter(loadConfig(configSchema, env)), {
      logger: false,
    });
    app.useGlobalFilters(new ProblemFilter());
    await app.init();
  });
  beforeEach(() => {
    failure = undefined;
    written.length = 0;
  });
  afterAll(() => app.close());

  async function write(records: readonly OutRecord[]): Promise<void> {
    if (failure !== undefined) throw failure;
    written.push(...records);
  }

  function addKey(scope: string): string {
    const { id, hash, text } = generateApiKey();
    const record = { v: 1, id, version: 1, hash, tenant: 'acme', scopes: [scope], expires_at: null };
    keys.apply(id, Buffer.from(JSON.stringify(record)));
    return text;
  }

  function post(url: string, payload: string, over: Record<string, string> = {}) {
    const headers = { authorization: `Bearer ${writer}`, 'content-type': 'application/json', ...over };
    return app.inject({ method: 'POST', url, payload, headers });
  }

  it("given an event, then it is written for the key's tenant, and the response has the event id", async () => {
    const answer = await post('/v1/events', '{"id":"e-1","type":"a","data":{"x": 1}}');
    expect([answer.statusCode, answer.body]).toEqual([202, '{"id":"e-1"}']);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(String(written[0]?.value)).toBe('{"id":"e-1","type":"a","tenant":"acme","data":{"x": 1}}');
  });

  it('given a batch larger than an event may be, then all ids are answered in order', async () => {
    const batch = ['e-1', 'e-2'].map((id) => ({ id, type: 'a', data: 'x'.repeat(700) }));
    const answer = await post('/v1/events/batch', JSON.stringify(batch));
    expect([answer.statusCode, answer.body]).toEqual([202, '{"items":[{"id":"e-1"},{"id":"e-2"}]}']);
    expect(written).toHaveLength(2);
  });

  const event = '{"type":"a","data":1}';
  it.each([
    { given: 'no key', headers: { authorization: '' }, code: 'UNAUTHENTICATED' },
    { given: 'a key that may only read', scope: 'read', code: 'FORBIDDEN' },
    { given: 'no JSON', body: 'x', code: 'BODY_INVALID' },
    { given: 'no body', body: '', code: 'BODY_INVALID' },
    { given: 'another content type', headers: { 'content-type': 'a/b' }, code: 'UNSUPPORTED_MEDIA_TYPE' },
    { given: 'a malformed content type', headers: { 'content-type': 'ab' }, code: 'UNSUPPORTED_MEDIA_TYPE' },
    { given: 'a compressed body', headers: { 'content-encoding': 'gzip' }, code: 'UNSUPPORTED_MEDIA_TYPE' },
    { given: 'too large an event', body: ' '.repeat(MAX_EVENT_BYTES + 1), code: 'BODY_TOO_LARGE' },
    { given: 'too large a batch', url: '/v1/events/batch', body: ' '.repeat(4_097), code: 'BODY_TOO_LARGE' },
    { given: 'too large a body elsewhere', url: '/v1/other', body: ' '.repeat(1_025), code: 'BODY_TOO_LARGE' },
    { given: 'another path', url: '/v1/other', code: 'NOT_FOUND' },
    { given: 'a malformed path', url: '/v1/%zz', code: 'BODY_INVALID' },
    { given: 'a broken dependency', breaks: true, code: 'INTERNAL' },
  ])(
    'given $given, then the problem is $code',
    async ({ url = '/v1/events', body = event, headers, code, ...rest }) => {
      if ('breaks' in rest) failure = new Error('a fault');
      const key = 'scope' in rest ? { authorization: `Bearer ${reader}` } : {};
      const answer = await post(url, body, { ...key, ...headers });
      expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
      expect(answer.json()).toMatchObject({ code, status: answer.statusCode });
      expect(answer.headers['www-authenticate']).toBe(code === 'UNAUTHENTICATED' ? 'Bearer' : undefined);
      expect(written).toEqual([]);
    },
  );

  it.each([
    { url: '/v1/events', size: MAX_EVENT_BYTES + 1, limit: '1024 bytes (MAX_EVENT_BYTES)' },
    { url: '/v1/events/batch', size: MAX_BATCH_BYTES + 1, limit: '4096 bytes (MAX_BATCH_BYTES)' },
  ])('given too large a body for $url, then the problem names the limit and its variable', async (given) => {
    const answer = await post(given.url, ' '.repeat(given.size));
    expect(answer.json()).toMatchObject({ status: 413, detail: `the body may have at most ${given.limit}` });
  });

  it('given too large an event of a batch, then the problem names it, the limit and its variable', async () => {
    const answer = await post('/v1/events/batch', JSON.stringify([{ type: 'a', data: 'x'.repeat(MAX_EVENT_BYTES) }]));
    expect(answer.json()).toMatchObject({
      status: 413,
      detail: 'events[0] has more than 1024 bytes (MAX_EVENT_BYTES): none of the batch was taken',
    });
  });

  it('given a request with another method, then 405 names the allowed method', async () => {
    const answer = await app.inject({ method: 'GET', url: '/v1/events' });
    expect(answer.headers).toMatchObject({ allow: 'POST', 'content-type': expect.stringContaining('problem+json') });
    expect(answer.json()).toMatchObject({ status: 405, code: 'METHOD_NOT_ALLOWED' });
  });
});
