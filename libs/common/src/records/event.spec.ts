import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { encodeEvent, parseEvent } from './event.js';

const parse = (text: string) => parseEvent(Buffer.from(text));
const fieldsOf = (text: string) => {
  const parsed = parse(text);
  return parsed.ok ? [] : parsed.errors.map(({ field }) => field);
};
const messageOf = (text: string) => {
  const parsed = parse(text);
  return parsed.ok ? undefined : parsed.errors[0]?.message;
};

const isPrintable = (text: string) => !/\p{Cc}/u.test(text);

describe('parseEvent', () => {
  it('given every field, then all are read and data is kept to the letter', () => {
    const rawData = '{ "b":12345678901234567890, "a":1.0, "a":"\\u0000\\ud800", "__proto__":1e400 }';
    const text = `{"id":"evt 1","type":"invoice.paid","tenant":"acme","resource_id":"rechnung/é:1",
      "occurred_at":"2026-01-31T09:30:00+01:00","data": ${rawData} }`;
    expect(parse(text)).toEqual({
      ok: true,
      event: {
        id: 'evt 1',
        type: 'invoice.paid',
        tenant: 'acme',
        resourceId: 'rechnung/é:1',
        occurredAt: '2026-01-31T09:30:00+01:00',
        rawData,
      },
    });
  });

  it('given only a type and data, then the rest is undefined', () => {
    expect(parse('{"type":"a","data":null}')).toEqual({ ok: true, event: { type: 'a', rawData: 'null' } });
  });

  it('given a byte order mark, then it is dropped', () => {
    expect(parse('\ufeff{"type":"a","data":1}').ok).toBe(true);
  });

  it.each([
    ['nothing', '', ['body']],
    ['no JSON', '{"type":"a","data":}', ['body']],
    ['a cut-off object', '{"type":"a","data":1', ['body']],
    ['two values', '{"type":"a","data":1}{}', ['body']],
    ['a number', '7', ['body']],
    ['null', 'null', ['body']],
    ['an array', '[]', ['body']],
    ['an array of 100 elements', `[${'0,'.repeat(99)}0]`, ['body']],
    ['no type', '{"data":1}', ['type']],
    ['no data', '{"type":"a"}', ['data']],
    ['unknown fields', '{"type":"a","data":1,"Type":1,"extra":2}', ['Type', 'extra']],
    ['a field called __proto__', '{"type":"a","data":1,"__proto__":{}}', ['__proto__']],
    ['fields named like methods', '{"type":"a","data":1,"constructor":{}}', ['constructor']],
    [
      'wrong types',
      '{"id":1,"type":{},"tenant":[],"resource_id":true,"occurred_at":0,"data":1}',
      ['id', 'type', 'tenant', 'resource_id', 'occurred_at'],
    ],
    ['null in place of text', '{"id":null,"type":"a","data":1}', ['id']],
    ['an empty id', '{"id":"","type":"a","data":1}', ['id']],
    ['an id of 257 characters', `{"id":"${'x'.repeat(257)}","type":"a","data":1}`, ['id']],
    ['an id that ends with a space', '{"id":"a ","type":"a","data":1}', ['id']],
    ['an id with a line break', '{"id":"a\\nb","type":"a","data":1}', ['id']],
    ['an id that is not ASCII', '{"id":"é","type":"a","data":1}', ['id']],
    ['a type with a slash', '{"type":"a/b","data":1}', ['type']],
    ['a type with an empty name', '{"type":"a..b","data":1}', ['type']],
    ['a wildcard as type', '{"type":"a.*","data":1}', ['type']],
    ['a type of 257 characters', `{"type":"${'x'.repeat(257)}","data":1}`, ['type']],
    ['a tenant with a colon', '{"type":"a","tenant":"a:b","data":1}', ['tenant']],
    ['an empty resource', '{"type":"a","resource_id":"","data":1}', ['resource_id']],
    ['a resource with NUL', '{"type":"a","resource_id":"a\\u0000","data":1}', ['resource_id']],
    ['a resource with a lone surrogate', '{"type":"a","resource_id":"\\ud800","data":1}', ['resource_id']],
    ['a resource of 257 characters', `{"type":"a","resource_id":"${'x'.repeat(257)}","data":1}`, ['resource_id']],
    ['30 February', '{"type":"a","occurred_at":"2026-02-30T00:00:00Z","data":1}', ['occurred_at']],
    ['a date only', '{"type":"a","occurred_at":"2026-02-03","data":1}', ['occurred_at']],
    [
      'a date with a mile of digits',
      `{"type":"a","occurred_at":"2026-02-03T00:00:00.${'0'.repeat(99)}Z","data":1}`,
      ['occurred_at'],
    ],
    ['an unknown source of ids', '{"type":"a","id_from":"hash","data":1}', ['id_from']],
    [
      'an id and a source of ids',
      '{"id":"x","type":"a","id_from":"content","data":1}',
      ['id_from', 'resource_id', 'occurred_at'],
    ],
  ])('given %s, then the errors name it', (_, text, fields) => {
    expect([...new Set(fieldsOf(text))]).toEqual(fields);
  });

  it('given what is missing and what is unknown, then the messages say so', () => {
    expect(messageOf('{"data":1}')).toBe('is required');
    expect(messageOf('{"type":"a","data":1,"x":1}')).toBe('is not known here');
    expect(messageOf('{"type":1,"data":1}')).toBe('must be a string');
  });

  it.each([
    ['a stray byte', Buffer.from([0x22, 0xff, 0x22])],
    ['an encoded surrogate', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ['an overlong slash', Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
    ['UTF-16', Buffer.from('{"type":"a","data":1}', 'utf16le')],
  ])('given %s, then it is refused', (_, bytes) => {
    const value = Buffer.concat([Buffer.from('{"type":"a","data":'), bytes, Buffer.from('}')]);
    expect(parseEvent(value).ok).toBe(false);
  });

  it('given the extremes that are allowed, then they are taken', () => {
    const longest = {
      id: '~'.repeat(256),
      type: 'x'.repeat(256),
      tenant: 'x'.repeat(64),
      resource_id: '𝄞'.repeat(128),
    };
    expect(fieldsOf(JSON.stringify({ ...longest, occurred_at: '0000-01-01T00:00:00Z', data: 0 }))).toEqual([]);
  });

  it('given nesting 100 000 deep, then nothing overflows', () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    const parsed = parse(`{"type":"a","data":${deep}}`);
    expect(parsed.ok && parsed.event.rawData.length).toBe(deep.length);
  });

  it('given any bytes, then it answers and does not throw', () => {
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.json().map((text) => new TextEncoder().encode(text)),
    );
    fc.assert(fc.property(bytes, (value) => typeof parseEvent(value).ok === 'boolean'));
  });
});

describe('id_from: content', () => {
  it('given a resource and a time, then the id is their hash with the type', () => {
    const parsed = parse(
      '{"type":"invoice.paid","id_from":"content","resource_id":"inv_1","occurred_at":"2026-01-31T09:30:00Z","data":1}',
    );
    const expected = createHash('sha256').update('invoice.paid:inv_1:2026-01-31T09:30:00Z').digest('hex');
    expect(parsed).toMatchObject({ ok: true, event: { id: expected } });
  });
});

describe('encodeEvent', () => {
  it('given any event, then it is read back the same', () => {
    const event = fc.record({
      id: fc.string({ minLength: 1, maxLength: 256 }).filter((id) => id === id.trim()),
      type: fc.constantFrom('a', 'invoice.paid', 'Com.Acme_1.x-y.Z'),
      tenant: fc.constantFrom('acme', '.', 'A_b-9.x'),
      resourceId: fc.option(fc.string({ unit: 'binary', minLength: 1, maxLength: 100 }).filter(isPrintable), {
        nil: undefined,
      }),
      occurredAt: fc.constantFrom(undefined, '2026-01-31T09:30:00.000001+01:00'),
      rawData: fc.oneof(
        fc.json(),
        fc.constantFrom(' 1 ', '{"a":1,"a":2}', '1e400').map((raw) => raw.trim()),
      ),
    });
    fc.assert(fc.property(event, (given) => expect(parse(encodeEvent(given))).toEqual({ ok: true, event: given })));
  });
});
