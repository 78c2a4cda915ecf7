import fc from 'fast-check';
import { checkDocument, textOf } from './json-document.js';
import { endOfValue, withEnd } from './json-scanner.js';

const isScanned = (bytes: Uint8Array) => checkDocument(bytes, endOfValue) === undefined;

function isParsed(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return true;
  } catch {
    return false;
  }
}

const strange = fc.oneof(
  fc.string({ unit: fc.constantFrom('"', '\\', '/', '\u0000', '\u001f', '\u007f', '\u2028', '\ufeff', '{', ']', ',') }),
  fc.string({ unit: 'binary' }),
);
const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.bigInt().map(String),
  fc.constantFrom('-0', '0', '1e400', '1E+05', '1.50e-007', '-0.0', '123456789012345678901234567890'),
);
const space = fc.string({ unit: fc.constantFrom(' ', '\t', '\r', '\n'), maxLength: 2 });
/** Text of any JSON document: white space anywhere, escapes of any kind, repeated names. */
const { text: document } = fc.letrec<{ text: string }>((tie) => {
  const text = tie('text');
  const word = fc.oneof(number, fc.constantFrom('true', 'false', 'null', '"\\u00E9\\ud800\\/"'), strange.map(quote));
  const member = fc
    .tuple(strange, space, text)
    .map(([name, gap, value]) => `${gap}${quote(name)}${gap}:${gap}${value}`);
  const array = fc
    .tuple(fc.array(text, { maxLength: 5 }), space)
    .map(([list, gap]) => `[${gap}${list.join(`,${gap}`)}${gap}]`);
  const object = fc
    .tuple(fc.array(member, { maxLength: 5 }), space)
    .map(([list, gap]) => `{${list.join(`${gap},`)}${gap}}`);
  return { text: fc.oneof({ maxDepth: 5 }, word, array, object) };
});
const anyDocument = fc.oneof(
  document,
  fc.json(),
  fc.jsonValue({ stringUnit: 'binary' }).map((value) => JSON.stringify(value, undefined, 1)),
);

function quote(text: string): string {
  return JSON.stringify(text);
}

/** Bytes that matter in JSON, and some that are no UTF-8. */
const byte = fc.oneof(
  fc.constantFrom(...Buffer.from('{}[]",:\\u/ \n\t\r0123456789-+.eEtrfalsn\u0000\u001f\u007f')),
  fc.integer({ min: 0, max: 255 }),
);
const mutation = fc.record({ at: fc.nat(), remove: fc.nat({ max: 2 }), insert: fc.array(byte, { maxLength: 2 }) });

function mutated(bytes: Uint8Array, mutations: readonly { at: number; remove: number; insert: number[] }[]): Buffer {
  return mutations.reduce((text: Buffer, { at, remove, insert }) => {
    const position = at % (text.length + 1);
    return Buffer.concat([text.subarray(0, position), Buffer.from(insert), text.subarray(position + remove)]);
  }, Buffer.from(bytes));
}

describe('endOfValue', () => {
  it('given any document that JSON.parse accepts, then it is accepted, and ends where it ends', () => {
    fc.assert(
      fc.property(anyDocument, space, (text, around) => {
        const bytes = Buffer.from(around + text + around);
        expect(isParsed(bytes)).toBe(true);
        expect(isScanned(bytes)).toBe(true);
        const start = Buffer.byteLength(around);
        const value = withEnd(Buffer.from(`${around}${text}]`));
        const end = /^\s/.test(text) ? undefined : endOfValue(value, start);
        if (end !== undefined) expect(JSON.parse(textOf(value, { start, end }))).toEqual(JSON.parse(text));
      }),
      { numRuns: 600 },
    );
  });

  it('given bytes deleted, inserted or replaced, then exactly what JSON.parse accepts is accepted', () => {
    let accepted = 0;
    let refused = 0;
    fc.assert(
      fc.property(anyDocument, fc.array(mutation, { minLength: 1, maxLength: 3 }), (text, mutations) => {
        const bytes = mutated(Buffer.from(text), mutations);
        const isValid = isParsed(bytes);
        if (isValid) accepted++;
        else refused++;
        expect({ text: bytes.toString(), isAccepted: isScanned(bytes) }).toEqual({
          text: bytes.toString(),
          isAccepted: isValid,
        });
      }),
      { numRuns: 4_000 },
    );
    // Both are common, else this would prove little.
    expect(Math.min(accepted, refused)).toBeGreaterThan(300);
  });

  it('given short texts of every kind of byte, then exactly what JSON.parse accepts is accepted', () => {
    const short = fc.array(byte, { maxLength: 6 }).map((bytes) => Uint8Array.from(bytes));
    fc.assert(
      fc.property(short, (bytes) => expect(isScanned(bytes)).toBe(isParsed(bytes))),
      { numRuns: 10_000 },
    );
  });

  const DEPTH = 100_000;
  it.each([
    ['lists', '['.repeat(DEPTH) + ']'.repeat(DEPTH), true],
    ['objects', '{"a":'.repeat(DEPTH) + 1 + '}'.repeat(DEPTH), true],
    ['both', '[{"":'.repeat(DEPTH / 2) + 1 + '}]'.repeat(DEPTH / 2), true],
    ['both, one closed by the wrong bracket', `${'[{"":'.repeat(DEPTH / 2)}1${'}]'.repeat(DEPTH / 2 - 1)}]}`, false],
    ['lists, one not closed', '['.repeat(DEPTH) + ']'.repeat(DEPTH - 1), false],
    ['lists, one closed twice', '['.repeat(DEPTH) + ']'.repeat(DEPTH + 1), false],
  ])(
    'given %s nested 100 000 deep, then nothing overflows, and it is accepted as by JSON.parse',
    (_, text, isValid) => {
      expect(isParsed(Buffer.from(text))).toBe(isValid);
      expect(isScanned(Buffer.from(text))).toBe(isValid);
    },
  );

  it.each([
    ['', 'Unexpected end of JSON input'],
    ['{"a":', 'Unexpected end of JSON input'],
    ['[1,]', "Unexpected token ']' at byte 3"],
    ['"\n"', 'Unexpected byte 0x0a at byte 1'],
    ['1 2', "Unexpected token '2' at byte 2"],
  ])('given %j, then the error says where', (text, message) => {
    expect(checkDocument(Buffer.from(text), endOfValue)).toMatchObject({ message });
  });
});
