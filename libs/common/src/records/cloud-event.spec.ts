import { CloudEvent, HTTP, Kafka } from 'cloudevents';
import { httpAttributes, parseBinary, parseStructured } from './cloud-event.js';
import { parseEventRecord } from './event-record.js';

const REQUIRED = { specversion: '1.0', id: 'evt_1', source: '/shop', type: 'com.github.pull_request.opened' };
const structured = (attributes: object) => parseStructured(Buffer.from(JSON.stringify(attributes)));
const binary = (attributes: Record<string, string>, contentType: string | undefined, body: string | Buffer) =>
  parseBinary({ ...REQUIRED, ...attributes }, 'ce-', contentType, Buffer.from(body));

const sdkEvent = new CloudEvent({
  id: 'evt_1',
  source: 'https://shop.example/orders',
  type: 'Microsoft.Storage.BlobCreated',
  time: '2026-01-31T09:30:00.000Z',
  subject: 'order-7',
  tenant: 'acme',
  data: { amount: 1, note: 'é "quoted" 100%' },
});
const EXPECTED = {
  id: 'evt_1',
  type: 'Microsoft.Storage.BlobCreated',
  tenant: 'acme',
  resourceId: 'order-7',
  occurredAt: '2026-01-31T09:30:00.000Z',
};

describe('the CloudEvents SDK as producer', () => {
  it.each(['binary', 'structured'] as const)('given its HTTP message in %s mode, then the event is read', (mode) => {
    const { headers, body } = HTTP[mode](sdkEvent);
    const bytes = Buffer.from(String(body));
    const lowerCase = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
    const attributes = httpAttributes(lowerCase as Record<string, string>);
    const parsed =
      mode === 'structured'
        ? parseStructured(bytes)
        : parseBinary(attributes ?? {}, 'ce-', String(lowerCase['content-type']), bytes);
    expect(parsed).toMatchObject({ ok: true, event: EXPECTED });
    expect(parsed.ok && JSON.parse(parsed.event.rawData)).toEqual(sdkEvent.data);
  });

  it.each(['binary', 'structured'] as const)('given its Kafka message in %s mode, then the event is read', (mode) => {
    const message = Kafka[mode](sdkEvent);
    const headers = Object.fromEntries(
      Object.entries(message.headers)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => [name, Buffer.from(String(value))]),
    );
    const text = typeof message.value === 'string' ? message.value : JSON.stringify(message.value);
    const parsed = parseEventRecord({ value: Buffer.from(text), headers }, 262_144);
    expect(parsed).toMatchObject({ ok: true, event: EXPECTED });
    expect(parsed.ok && JSON.parse(parsed.event.rawData)).toEqual(sdkEvent.data);
  });

  it('given binary data in structured mode, then data is its base64', () => {
    const event = new CloudEvent({ ...REQUIRED, data: new Uint8Array([0, 255, 1]) });
    const parsed = parseStructured(Buffer.from(String(HTTP.structured(event).body)));
    expect(parsed).toMatchObject({ ok: true, event: { rawData: '"AP8B"' } });
  });
});

describe('structured mode', () => {
  it('given data, then it is kept to the letter', () => {
    const text = `{"data": {"n":1.0,"n":12345678901234567890},"id":"1","source":"s","type":"t","specversion":"1.0"}`;
    expect(parseStructured(Buffer.from(text))).toMatchObject({
      ok: true,
      event: { rawData: '{"n":1.0,"n":12345678901234567890}' },
    });
  });

  it('given no data, then it is null', () => {
    expect(structured(REQUIRED)).toMatchObject({ ok: true, event: { rawData: 'null' } });
  });

  it('given attributes and extensions that are not ours, or null, then they do not matter', () => {
    const others = { dataschema: 'x', traceparent: 'y', sequence: 5, time: null, subject: null, data_base64: null };
    expect(structured({ ...REQUIRED, ...others, data: 1 })).toEqual({
      ok: true,
      event: { id: 'evt_1', type: REQUIRED.type, rawData: '1' },
    });
  });

  it('given a partition key and a subject, then the partition key is the resource', () => {
    const both = { ...REQUIRED, partitionkey: 'p', subject: 'x'.repeat(300) };
    expect(structured(both)).toMatchObject({ ok: true, event: { resourceId: 'p' } });
  });

  it.each([
    ['another version', { ...REQUIRED, specversion: '2.0' }, ['specversion']],
    ['an old version', { ...REQUIRED, specversion: '0.3' }, ['specversion']],
    ['nothing', {}, ['specversion', 'id', 'source', 'type']],
    ['an empty source', { ...REQUIRED, source: '' }, ['source']],
    ['a type outside the pattern', { ...REQUIRED, type: 'com.amazonaws.s3.ObjectCreated:Put' }, ['type']],
    ['a time that is none', { ...REQUIRED, time: 'yesterday' }, ['time']],
    ['a subject that is no key', { ...REQUIRED, subject: 'a\nb' }, ['subject']],
    ['a subject that is too long', { ...REQUIRED, subject: 'x'.repeat(257) }, ['subject']],
    ['a tenant that is none', { ...REQUIRED, tenant: 'a b' }, ['tenant']],
    ['data twice', { ...REQUIRED, data: 1, data_base64: 'AP8B' }, ['data_base64']],
    ['base64 that is none', { ...REQUIRED, data_base64: '§' }, ['data_base64']],
    ['an array', [REQUIRED], ['body']],
  ])('given %s, then the errors name it', (_, attributes, fields) => {
    const parsed = structured(attributes);
    expect(parsed.ok ? [] : parsed.errors.map(({ field }) => field)).toEqual(fields);
  });
});

describe('binary mode', () => {
  it.each([
    ['JSON', 'application/json; charset=utf-8', ' {"a":1.0} ', '{"a":1.0}'],
    ['a JSON dialect', 'application/vnd.acme+json', '[1]', '[1]'],
    ['no content type', undefined, '"x"', '"x"'],
    ['nothing', 'application/json', '', 'null'],
    ['text', 'text/plain', 'he said "hi"\n', '"he said \\"hi\\"\\n"'],
    ['XML', 'application/xml', '<a/>', '"<a/>"'],
    ['bytes', 'application/octet-stream', Buffer.from([0, 255, 1]), '"AP8B"'],
  ])('given %s as data, then it is JSON', (_, contentType, body, rawData) => {
    expect(binary({}, contentType, body)).toMatchObject({ ok: true, event: { rawData } });
  });

  it.each([
    ['JSON that is none', 'application/json', '{'],
    ['text that is not UTF-8', 'text/plain', Buffer.from([255])],
  ])('given %s, then the body is named', (_, contentType, body) => {
    expect(binary({}, contentType, body)).toMatchObject({ ok: false, errors: [{ field: 'body' }] });
  });

  it('given bad headers and a bad body, then all are named as they came', () => {
    const parsed = binary({ specversion: '1.1', time: 'now' }, 'application/json', '{');
    expect(parsed.ok ? [] : parsed.errors.map(({ field }) => field)).toEqual(['ce-specversion', 'ce-time', 'body']);
  });
});

describe('httpAttributes', () => {
  it('given encoded values, then they are decoded once', () => {
    expect(
      httpAttributes({
        'ce-subject': 'Euro%20%E2%82%AC%20%2525',
        'ce-source': '"quoted \\"%41\\""',
        'ce-broken': '100%',
        'content-type': 'x',
      }),
    ).toEqual({ subject: 'Euro € %25', source: 'quoted "A"', broken: '100%' });
  });

  it('given no attribute, then undefined', () => {
    expect(httpAttributes({ 'content-type': 'application/json', 'cell-id': '1' })).toBeUndefined();
  });
});
