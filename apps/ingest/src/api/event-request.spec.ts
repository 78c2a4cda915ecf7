import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { ProblemError } from '#common/http/problem.js';
import { type AddressedEvent, readBatch, readEvent } from './event-request.js';

const ADMIN: AuthenticatedKey = { id: 'k', tenant: null, scopes: ['admin'] };
const ACME: AuthenticatedKey = { id: 'k', tenant: 'acme', scopes: ['write'] };
const JSON_TYPE = { 'content-type': 'application/json' };
const LIMITS = { maxEventBytes: 200, maxEvents: 3 };

const one = (body: string | undefined, headers: Record<string, string> = JSON_TYPE, caller = ADMIN): AddressedEvent =>
  readEvent({ headers, body: body === undefined ? undefined : Buffer.from(body) }, caller);
const many = (body: string, headers: Record<string, string> = JSON_TYPE, caller = ADMIN): AddressedEvent[] =>
  readBatch({ headers, body: Buffer.from(body) }, caller, LIMITS);

function problemOf(work: () => unknown): { code: string; fields: string[]; messages: string[] } {
  try {
    work();
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    const errors = error.extra.errors ?? [];
    return {
      code: error.code,
      fields: errors.map(({ field }) => field),
      messages: errors.map(({ message }) => message),
    };
  }
  throw new Error('it was taken');
}

describe('readEvent', () => {
  it('given an id and an idempotency key, then the event keeps its id', () => {
    expect(one('{"id":"e","type":"a","data":1}', { ...JSON_TYPE, 'idempotency-key': 'k' }).id).toBe('e');
  });

  it('given no id and an idempotency key, then the event id is the key', () => {
    expect(one('{"type":"a","data":1}', { ...JSON_TYPE, 'idempotency-key': 'k 1' }).id).toBe('k 1');
  });

  it('given id_from, then the id comes from the content, not from the idempotency key', () => {
    const body = '{"type":"a","id_from":"content","resource_id":"r","occurred_at":"2026-01-01T00:00:00Z","data":1}';
    expect(one(body, { ...JSON_TYPE, 'idempotency-key': 'k' }).id).toMatch(/^[0-9a-f]{64}$/);
  });

  it('given a trace in headers or CloudEvents attributes, then each event has the trace', () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const native = '{"id":"e","type":"a","data":1}';
    expect(one(native, { ...JSON_TYPE, traceparent, tracestate: 'a=b' }).trace).toEqual({
      traceparent,
      tracestate: 'a=b',
    });
    expect(many(`[${native}]`, { ...JSON_TYPE, traceparent })[0]?.trace).toEqual({ traceparent });
    const attributes = { 'ce-id': 'e', 'ce-type': 'a', 'ce-source': '/s', 'ce-specversion': '1.0' };
    expect(one('1', { ...JSON_TYPE, ...attributes, 'ce-traceparent': traceparent }).trace).toEqual({ traceparent });
    expect(one(native, { ...JSON_TYPE, traceparent: 'forged' }).trace).toEqual({});
  });

  it('given neither id nor idempotency key, then each event gets a new id', () => {
    const ids = [one('{"type":"a","data":1}').id, one('{"type":"a","data":1}').id];
    expect(ids[0]).toMatch(/^evt_[A-Za-z0-9_-]{22}$/);
    expect(ids[0]).not.toBe(ids[1]);
  });

  it.each([
    ['an admin key and no tenant', ADMIN, '', 'default'],
    ['an admin key and a tenant', ADMIN, '"tenant":"acme",', 'acme'],
    ["a tenant's key and no tenant", ACME, '', 'acme'],
    ["a tenant's key and its own tenant", ACME, '"tenant":"acme",', 'acme'],
  ])('given %s, then the tenant is right', (_, caller, member, tenant) => {
    expect(one(`{${member}"type":"a","data":1}`, JSON_TYPE, caller).tenant).toBe(tenant);
  });

  it("given a tenant's key and an event of another tenant, then the request is forbidden", () => {
    expect(problemOf(() => one('{"tenant":"other","type":"a","data":1}', JSON_TYPE, ACME)).code).toBe('FORBIDDEN');
  });

  it('given CloudEvents in either mode, then the event is read', () => {
    const structured = '{"specversion":"1.0","id":"1","source":"s","type":"a","tenant":"acme","data":[1.0]}';
    const expected = { id: '1', type: 'a', tenant: 'acme', rawData: '[1.0]' };
    expect(one(structured, { 'content-type': 'application/cloudevents+json; charset=utf-8' })).toMatchObject(expected);
    const binary = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': 's', 'ce-type': 'a', 'ce-tenant': 'acme' };
    expect(one('[1.0]', { ...JSON_TYPE, ...binary })).toMatchObject(expected);
    expect(one('hi', { 'content-type': 'text/plain', ...binary })).toMatchObject({ rawData: '"hi"' });
  });

  it.each([
    ['another type', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['no type', {}],
    ['CloudEvents in another format', { 'content-type': 'application/cloudevents+avro' }],
    ['a batch', { 'content-type': 'application/cloudevents-batch+json' }],
  ])('given %s of content, then it is not supported', (_, headers) => {
    expect(problemOf(() => one('{"type":"a","data":1}', headers)).code).toBe('UNSUPPORTED_MEDIA_TYPE');
  });

  it('given no body, then the problem names the body', () => {
    expect(problemOf(() => one(undefined))).toMatchObject({ code: 'BODY_INVALID', fields: ['body'] });
  });

  it('given an idempotency key that is no id, then the problem names the header', () => {
    const headers = { ...JSON_TYPE, 'idempotency-key': 'x'.repeat(257) };
    expect(problemOf(() => one('{"type":"a","data":1}', headers)).fields).toEqual(['idempotency-key']);
  });
});

describe('readBatch', () => {
  const A = '{"id":"a","type":"t","data":{"n":1.0}}';
  const B = ' {"data" : [ 2 ],"type":"t", "id":"b"} ';

  it.each([
    ['a list', `[${A},${B}]`],
    ['a list within an object', ` { "events" : [${A} ,${B}] }`],
  ])('given %s, then each event is read to the letter', (_, body) => {
    expect(many(body)).toMatchObject([
      { id: 'a', rawData: '{"n":1.0}', tenant: 'default' },
      { id: 'b', rawData: '[ 2 ]' },
    ]);
  });

  it("given CloudEvents' JSON batch, then each event is read", () => {
    const body = '[{"specversion":"1.0","id":"1","source":"s","type":"t","data":1.0}]';
    expect(many(body, { 'content-type': 'application/cloudevents-batch+json' })).toMatchObject([
      { id: '1', rawData: '1.0' },
    ]);
  });

  it('given bad events among good ones, then the problem names each bad field with its index', () => {
    const { code, fields } = problemOf(() => many(`[${A},{"type":"..","x":1},7]`));
    expect(code).toBe('BODY_INVALID');
    expect(fields.toSorted()).toEqual(['events[1].data', 'events[1].type', 'events[1].x', 'events[2]']);
  });

  it.each([
    ['no list', '{}', 'body'],
    ['a single event', A, 'body'],
    ['more beside the list', `{"events":[${A}],"x":1}`, 'body'],
    ['no JSON', '[', 'body'],
    ['an empty list', '[]', 'events'],
    ['too many events', `[${A},${A},${A},${A}]`, 'events'],
  ])('given %s, then it is refused', (_, body, field) => {
    expect(problemOf(() => many(body)).fields).toEqual([field]);
  });

  it('given one event that is too large, then the batch is rejected', () => {
    const large = `{"type":"t","data":"${'é'.repeat(100)}"}`;
    expect(problemOf(() => many(`[${A},${large}]`))).toMatchObject({ code: 'BODY_TOO_LARGE', fields: ['events[1]'] });
  });

  it('given one event of another tenant, then the batch is forbidden', () => {
    const foreign = '{"type":"t","tenant":"other","data":1}';
    expect(problemOf(() => many(`[${A},${foreign}]`, JSON_TYPE, ACME)).code).toBe('FORBIDDEN');
  });

  it('given an idempotency key, then the batch is rejected', () => {
    expect(problemOf(() => many(`[${A}]`, { ...JSON_TYPE, 'idempotency-key': 'k' })).fields).toEqual([
      'idempotency-key',
    ]);
  });

  it('given another content type, then the media type is not supported', () => {
    const headers = { 'content-type': 'application/cloudevents+json' };
    expect(problemOf(() => many(`[${A}]`, headers)).code).toBe('UNSUPPORTED_MEDIA_TYPE');
  });
});
