import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CloudEvent, HTTP } from 'cloudevents';
import * as metrics from '../../apps/ingest/src/metrics.js';
import { type Answer, IngestApp } from '../support/ingest-app.js';
import { freshDatabase, type TestDatabase, testBrokers } from '../support/servers.js';
import { until } from '../support/until.js';

const MAX_EVENT_BYTES = 8_192;
const MAX_BATCH_BYTES = 32_768;

describe('the ingest API', () => {
  let server: TestDatabase;
  let ingest: IngestApp;
  let admin: string;
  let acme: string;

  beforeAll(async () => {
    server = await freshDatabase();
    const env = {
      MAX_EVENT_BYTES: String(MAX_EVENT_BYTES),
      MAX_BATCH_BYTES: String(MAX_BATCH_BYTES),
      MAX_BATCH_EVENTS: '100',
    };
    ingest = await IngestApp.start({ brokers: testBrokers(), databaseUrl: server.url, env });
    admin = await ingest.keyFor(null);
    acme = await ingest.keyFor('acme', ['write']);
    await ingest.addEndpoint({ tenant: 'acme' });
    await ingest.addEndpoint({ tenant: 'default' });
  }, 60_000);
  afterAll(async () => {
    await ingest.stop();
    await server.drop();
  });

  const publish = (body: unknown, key = acme, headers: Record<string, string> = {}) =>
    ingest.post('/v1/events', typeof body === 'string' ? body : JSON.stringify(body), key, headers);
  const publishBatch = (body: unknown, key = acme) => ingest.post('/v1/events/batch', JSON.stringify(body), key);
  const delivered = (id: string) => until(`the delivery of ${id}`, () => ingest.deliveriesOf(id).length > 0);

  function expectProblem(answer: Answer, status: number, code: string, ...fields: string[]): void {
    expect(answer).toMatchObject({ status, body: { status, code } });
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect((answer.body.errors ?? []).map(({ field }: { field: string }) => field)).toEqual(fields);
  }

  it('given an event, then 202 with its id, and its tenant’s endpoint gets it', async () => {
    expect(await publish({ id: 'api-1', type: 'a.b', data: { x: 1 } })).toMatchObject({
      status: 202,
      body: { id: 'api-1' },
    });
    await delivered('api-1');
    expect(ingest.deliveriesOf('api-1')).toMatchObject([{ meta: { tenant: 'acme' }, body: { data: { x: 1 } } }]);
  });

  it('given no id, then a new id, or the idempotency key; a second event with the same key is dropped', async () => {
    const { body } = await publish({ type: 'a', data: 1 });
    await delivered(body.id);
    const headers = { 'idempotency-key': 'pay 7' };
    const answers = [
      await publish({ type: 'a', data: 1 }, acme, headers),
      await publish({ type: 'a', data: 2 }, acme, headers),
    ];
    expect(answers.map((answer) => answer.body)).toEqual([{ id: 'pay 7' }, { id: 'pay 7' }]);
    await publish({ id: 'after-pay', type: 'a', data: 1 });
    await Promise.all([delivered('pay 7'), delivered('after-pay')]);
    expect(ingest.deliveriesOf('pay 7')).toMatchObject([{ body: { data: 1 } }]);
  });

  it('given id_from, then the id follows from the content', async () => {
    const event = { id_from: 'content', type: 'a', resource_id: 'r', occurred_at: '2026-01-01T00:00:00Z', data: 1 };
    const ids = [(await publish(event)).body.id, (await publish({ ...event, data: 2 })).body.id];
    expect(ids[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(ids[1]).toBe(ids[0]);
    const { occurred_at: _, ...without } = event;
    expectProblem(await publish(without), 400, 'BODY_INVALID', 'occurred_at');
  });

  it('given a tenant, then an admin key may name it, and a key of another tenant may not', async () => {
    await publish({ id: 'of-acme', type: 'a', tenant: 'acme', data: 1 }, admin);
    await publish({ id: 'of-nobody', type: 'a', data: 1 }, admin);
    await Promise.all([delivered('of-acme'), delivered('of-nobody')]);
    expect(ingest.deliveriesOf('of-nobody')[0]?.meta.tenant).toBe('default');
    expectProblem(await publish({ type: 'a', tenant: 'default', data: 1 }), 403, 'FORBIDDEN');
  });

  it('given CloudEvents from the SDK in both modes, then they are delivered', async () => {
    for (const mode of ['binary', 'structured'] as const) {
      const event = new CloudEvent({
        id: `ce-${mode}`,
        source: '/s',
        type: 'com.github.pull_request.opened',
        subject: 'é 1',
        data: { n: 1 },
      });
      const { headers, body } = HTTP[mode](event);
      // The SDK leaves the percent-encoding of the HTTP binding to its transports.
      const encoded = Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name, encodeURI(String(value))]),
      );
      const contentType = String(headers['content-type']);
      const answer = await publish(String(body), acme, { ...encoded, 'content-type': contentType });
      expect(answer).toMatchObject({ status: 202, body: { id: `ce-${mode}` } });
      await delivered(`ce-${mode}`);
      expect(ingest.deliveriesOf(`ce-${mode}`)[0]?.body).toMatchObject({ resource_id: 'é 1', data: { n: 1 } });
    }
  });

  it('given a batch, then 202 with the ids in order, and all are delivered', async () => {
    const ids = Array.from({ length: 20 }, (_, index) => `batch-${index}`);
    const answer = await publishBatch(ids.map((id) => ({ id, type: 'a', resource_id: 'r', data: id })));
    expect(answer).toMatchObject({ status: 202, body: { items: ids.map((id) => ({ id })) } });
    await Promise.all(ids.map(delivered));
    const sequences = ids.map((id) => Number(ingest.deliveriesOf(id)[0]?.body.sequence));
    expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
    expect(await publishBatch({ events: [{ type: 'a', data: 1 }] })).toMatchObject({ status: 202 });
  });

  it('given one bad event in a batch, then the batch is rejected', async () => {
    const batch = [
      { id: 'not-taken', type: 'a', data: 1 },
      { type: '', data: 1 },
    ];
    expectProblem(await publishBatch(batch), 400, 'BODY_INVALID', 'events[1].type');
    await publish({ id: 'after-batch', type: 'a', data: 1 });
    await delivered('after-batch');
    expect(ingest.deliveriesOf('not-taken')).toEqual([]);
  });

  it('given bad input, then 400 names each field', async () => {
    expectProblem(await publish(''), 400, 'BODY_INVALID', 'body');
    expectProblem(await publish('{"type":"a"'), 400, 'BODY_INVALID', 'body');
    expectProblem(
      await publish({ id: 7, type: 'a', occurred_at: 'now', data: 1, x: 1 }),
      400,
      'BODY_INVALID',
      'id',
      'occurred_at',
      'x',
    );
    const deep = `{"type":"a","data":${'['.repeat(3_000)}${']'.repeat(3_000)}}`;
    expect((await publish(deep)).status).toBe(202);
  });

  it('given no key, a wrong key, or a key with the scope read, then 401 or 403', async () => {
    const reader = await ingest.keyFor('acme', ['read']);
    for (const key of [undefined, '', 'nonsense', `${acme.slice(0, -1)}x`]) {
      const answer = await ingest.post('/v1/events', '{"type":"a","data":1}', key);
      expectProblem(answer, 401, 'UNAUTHENTICATED');
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    }
    expectProblem(await publish({ type: 'a', data: 1 }, reader), 403, 'FORBIDDEN');
  });

  it('given the largest event, then 202 and a delivery; given one byte more, then 413', async () => {
    const ofSize = (bytes: number) => {
      const head = '{"type":"a","data":"';
      return `${head}${'x'.repeat(bytes - head.length - 2)}"}`;
    };
    const largest = await publish(ofSize(MAX_EVENT_BYTES));
    expect(largest.status).toBe(202);
    await delivered(largest.body.id);
    expectProblem(await publish(ofSize(MAX_EVENT_BYTES + 1)), 413, 'BODY_TOO_LARGE');
    const text = {
      'ce-specversion': '1.0',
      'ce-id': 'grown',
      'ce-source': 's',
      'ce-type': 'a',
      'content-type': 'text/plain',
    };
    expectProblem(await publish('"'.repeat(MAX_EVENT_BYTES - 10), acme, text), 413, 'BODY_TOO_LARGE');
    const batch = `[${ofSize(MAX_EVENT_BYTES)},${ofSize(MAX_EVENT_BYTES)},${ofSize(MAX_EVENT_BYTES)}]`;
    expect((await ingest.post('/v1/events/batch', batch, acme)).status).toBe(202);
    expectProblem(
      await ingest.post('/v1/events/batch', `[${ofSize(MAX_EVENT_BYTES + 1)}]`, acme),
      413,
      'BODY_TOO_LARGE',
      'events[0]',
    );
    expectProblem(await ingest.post('/v1/events/batch', ' '.repeat(MAX_BATCH_BYTES + 1), acme), 413, 'BODY_TOO_LARGE');
  });

  it('given a compressed body, or another content type, then 415', async () => {
    expectProblem(await publish('x', acme, { 'content-encoding': 'gzip' }), 415, 'UNSUPPORTED_MEDIA_TYPE');
    expectProblem(
      await publish('a=1', acme, { 'content-type': 'application/x-www-form-urlencoded' }),
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    );
    expectProblem(await publish('{}', acme, { 'content-type': 'not a type' }), 415, 'UNSUPPORTED_MEDIA_TYPE');
  });

  it('given another path, then 404; given another method, then 405', async () => {
    expectProblem(await ingest.get('/v1/nothing'), 404, 'NOT_FOUND');
    expectProblem(await ingest.get('/v1/events'), 405, 'METHOD_NOT_ALLOWED');
  });

  it('given malformed HTTP, then the server answers, and counts no rejected event', async () => {
    const port = Number(new URL(ingest.url).port);
    const exchange = (request: string) =>
      new Promise<string>((resolve, reject) => {
        let answer = '';
        const socket = connect(port, '127.0.0.1', () => socket.write(request));
        socket.on('data', (bytes) => {
          answer += bytes;
        });
        socket.on('close', () => resolve(answer));
        socket.on('error', reject);
      });
    const head = 'POST /v1/events HTTP/1.1\r\nhost: x\r\nconnection: close\r\n';
    expect(await exchange('nonsense\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [\s\S]*application\/problem\+json/);
    expect(await exchange(`${head}x: ${'y'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
    expect(await exchange(`${head}content-length: 5\r\ncontent-length: 6\r\n\r\nhello`)).toMatch(/^HTTP\/1\.1 400 /);
    const chunk = `${'1000\r\n'}${'x'.repeat(4_096)}\r\n`;
    const chunked = `${head}authorization: Bearer ${acme}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`;
    expect(await exchange(chunked + chunk.repeat(3))).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('given these requests, then the metrics count them by reason, and the document is OpenAPI 3.1', async () => {
    const { values } = await metrics.rejected.get();
    const reasons = values.filter(({ labels }) => labels.door === 'http').map(({ labels }) => labels.reason);
    expect(reasons.toSorted()).toEqual(['forbidden', 'invalid', 'media_type', 'too_large', 'unauthenticated']);
    const { body } = await ingest.get('/openapi.json');
    expect(body).toMatchObject({
      openapi: '3.1.0',
      paths: { '/v1/events': { post: {} }, '/v1/events/batch': { post: {} } },
    });
    expect(Object.keys(body.components.schemas.Event.properties)).toEqual([
      'id',
      'id_from',
      'type',
      'tenant',
      'resource_id',
      'occurred_at',
      'data',
    ]);
    expect(body.components.schemas.Event).toMatchObject({ required: ['type', 'data'], additionalProperties: false });
  });
});
