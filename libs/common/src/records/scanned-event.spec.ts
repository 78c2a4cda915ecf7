import fc from 'fast-check';
import { parseBinary, parseStructured } from './cloud-event.js';
import { type ParsedEvent, parseEvent } from './event.js';

/** Both ways to read the same bytes. V8 words its syntax errors in its own way. */
type Reader = (bytes: Uint8Array, scanBytes: number) => ParsedEvent;
const BINARY = { specversion: '1.0', id: '1', source: 's', type: 'a' };
const READERS: Readonly<Record<string, Reader>> = {
  'a native envelope': parseEvent,
  'a structured CloudEvent': parseStructured,
  'a binary CloudEvent': (bytes, scanBytes) => parseBinary(BINARY, 'ce-', 'application/json', bytes, scanBytes),
};
const comparable = (parsed: ParsedEvent) =>
  parsed.ok
    ? parsed
    : {
        ...parsed,
        errors: parsed.errors.map(({ field, message }) => [field, message.replace(/(is not JSON).*/s, '$1')]),
      };

function expectSame(read: Reader, bytes: Uint8Array): ParsedEvent {
  const scanned = read(bytes, 0);
  expect(comparable(scanned)).toEqual(comparable(read(bytes, Number.POSITIVE_INFINITY)));
  return scanned;
}

const NAMES = [
  'id',
  'id_from',
  'type',
  'tenant',
  'resource_id',
  'occurred_at',
  'data',
  'specversion',
  'source',
  'time',
];
const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...NAMES, 'subject', 'partitionkey', 'data_base64') },
  {
    weight: 1,
    arbitrary: fc.oneof(
      fc.constantFrom('__proto__', '', '7', '10', 'constructor', 'Data', 'dat', 'data2'),
      fc.string({ unit: 'binary', maxLength: 8 }),
    ),
  },
);
const good = fc.constantFrom('a', '1.0', 'content', '2026-01-31T09:30:00Z', 'aGk=', 'acme', 'x'.repeat(300), 'é\ud800');
const value = fc.oneof(
  { weight: 6, arbitrary: good.map((text) => JSON.stringify(text)) },
  { weight: 2, arbitrary: fc.json({ stringUnit: 'binary' }) },
  { weight: 1, arbitrary: fc.constantFrom('1e400', '-0.0', 'null', 'true', ' [ ] ', '{"a":1,"a":2}', '"\\u0041"') },
);
type Spelling = (text: string) => string;
const escaped = (text: string) =>
  text.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
/** A name as JSON writes it, or with each character escaped. */
const spelling = fc.constantFrom<Spelling>(
  JSON.stringify,
  JSON.stringify,
  JSON.stringify,
  (text) => `"${escaped(text)}"`,
  (text) => `"${escaped(text).toUpperCase().replaceAll('U', 'u')}"`,
);
const written = fc.tuple(name, spelling).map(([text, spell]) => spell(text));
const space = fc.constantFrom('', ' ', '\r\n\t');
const members = fc.array(fc.tuple(written, value, space), { maxLength: 12 });
const complete = fc.constantFrom(
  '',
  '"id":"1","type":"a","data":[1.0]',
  '"id_from":"content","type":"a","resource_id":"r","occurred_at":"2026-01-31T09:30:00Z"',
  '"specversion":"1.0","id":"1","source":"s","type":"a"',
  '"specversion":"1.0","id":"1","source":"s","type":"a","data_base64":"aGk="',
);
const event = fc.tuple(complete, members, space).map(([start, list, around]) => {
  const rest = list.map(([key, text, gap]) => `${gap}${key}${gap}:${gap}${text}${gap}`);
  return `${around}{${[...(start === '' ? [] : [start]), ...rest].join(',')}}${around}`;
});
/** Most of these are taken: only `data` is repeated, with any value. */
const valid = fc.tuple(complete, fc.array(fc.json({ stringUnit: 'binary' }), { minLength: 1, maxLength: 3 }));
const document = fc.oneof(
  { weight: 6, arbitrary: event },
  {
    weight: 3,
    arbitrary: valid.map(([start, list]) => `{${[start, ...list.map((text) => `"d\\u0061ta":${text}`)].join()}}`),
  },
  { weight: 1, arbitrary: fc.json() },
  { weight: 1, arbitrary: event.map((text) => `\ufeff${text}`) },
);

describe.each(Object.entries(READERS))('%s, parsed or scanned', (_, read) => {
  it('given any document, then the event or the errors are the same', () => {
    let taken = 0;
    fc.assert(
      fc.property(document, (text) => {
        if (expectSame(read, Buffer.from(text)).ok) taken++;
      }),
      { numRuns: 1_500 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  it('given any change of its bytes, then the event or the errors are the same', () => {
    const change = fc.tuple(fc.nat(), fc.nat({ max: 2 }), fc.uint8Array({ maxLength: 2 }));
    fc.assert(
      fc.property(document, change, (text, [at, remove, insert]) => {
        const bytes = Buffer.from(text);
        const position = at % (bytes.length + 1);
        expectSame(read, Buffer.concat([bytes.subarray(0, position), insert, bytes.subarray(position + remove)]));
      }),
      { numRuns: 1_500 },
    );
  });

  it('given many members, known, unknown and repeated, then the event or the errors are the same', () => {
    const many = fc.array(fc.oneof(fc.integer({ min: -5, max: 200 }).map(String), name), {
      minLength: 60,
      maxLength: 300,
    });
    fc.assert(
      fc.property(many, (names) => {
        expectSame(read, Buffer.from(`{${names.map((key) => `${JSON.stringify(key)}:"a"`).join(',')}}`));
      }),
      { numRuns: 100 },
    );
  });

  it('given data nested 100 000 deep, then the event or the errors are the same', () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    expectSame(read, Buffer.from(`{"type":"a","specversion":"1.0","id":"1","source":"s","data":${deep}}`));
    expectSame(read, Buffer.from(`{"type":"a","data":${deep},"id":${deep}}`));
  });
});
