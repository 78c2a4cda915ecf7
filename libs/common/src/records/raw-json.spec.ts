import fc from 'fast-check';
import { elementSpans, memberSpan, type Span } from './raw-json.js';

const slice = (text: string, span: Span | undefined) => span && text.slice(span.start, span.end);

/** Names and strings that are hard to scan: quotes, backslashes, brackets, the wanted name itself. */
const trickyText = fc.oneof(
  fc.string({ unit: fc.constantFrom('"', '\\', '{', '}', '[', ']', ',', ':', ' ', '\n', 'é', '\u2028', 'data') }),
  fc.string({ unit: 'binary' }),
);
const { value: jsonValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    trickyText,
    fc.double({ noDefaultInfinity: true, noNaN: true }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(trickyText, tie('value'), { maxKeys: 4 }),
  ),
}));
const space = fc.string({ unit: fc.constantFrom(' ', '\t', '\r', '\n'), maxLength: 3 });

describe('memberSpan', () => {
  it('given any object, any white space and repeated names, then it finds what JSON.parse finds', () => {
    const name = fc.oneof(fc.constant('data'), fc.constantFrom('dat', 'data2', 'dota'), trickyText);
    const members = fc.array(fc.tuple(name, jsonValue, space), { maxLength: 5 });
    fc.assert(
      fc.property(members, space, fc.constantFrom(undefined, 1, '\t'), (list, around, indent) => {
        const body = list.map(([key, value, gap]) => {
          return `${gap}${JSON.stringify(key)}${gap}:${gap}${JSON.stringify(value, null, indent)}${gap}`;
        });
        const text = `${around}{${body.join(',') || around}}${around}`;
        const parsed: Record<string, unknown> = JSON.parse(text);
        const raw = slice(text, memberSpan(text, 0, 'data'));
        expect(raw !== undefined).toBe(Object.hasOwn(parsed, 'data'));
        if (raw !== undefined) {
          expect(JSON.parse(raw)).toEqual(parsed.data);
          expect(raw).toBe(raw.trim());
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['an escaped name', '{"d\\u0061ta":1}', '1'],
    ['a name that only ends like it', '{"\\"data":1}', undefined],
    ['the name as a value', '{"a":"data","data":2}', '2'],
    ['the name deeper down', '{"a":{"data":1}}', undefined],
    ['a repeated name', '{"data":1,"data":[2]}', '[2]'],
    ['a string of backslashes', '{"data":"\\\\\\\\\\"\\\\"}', '"\\\\\\\\\\"\\\\"'],
    ['an integer beyond 2^53', '{"data":12345678901234567890123}', '12345678901234567890123'],
    ['repeated names inside', '{"data":{"b":1,"a":2,"b":3}}', '{"b":1,"a":2,"b":3}'],
    ['no member', '{}', undefined],
  ])('given %s, then its text is exact', (_, text, raw) => {
    expect(slice(text, memberSpan(text, 0, 'data'))).toBe(raw);
  });

  it('given nesting 100 000 deep, then nothing overflows', () => {
    const deep = '[{"a":'.repeat(50_000) + 1 + '}]'.repeat(50_000);
    expect(slice(`{"data":${deep},"id":"x"}`, memberSpan(`{"data":${deep},"id":"x"}`, 0, 'data'))).toBe(deep);
  });
});

describe('elementSpans', () => {
  it('given any array, then each element is exact', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(jsonValue, space), { maxLength: 6 }), space, (list, around) => {
        const text = `${around}[${list.map(([value, gap]) => gap + JSON.stringify(value) + gap).join(',') || around}]`;
        const raw = elementSpans(text).map(({ start, end }) => text.slice(start, end));
        expect(raw).toEqual(list.map(([value]) => JSON.stringify(value)));
      }),
      { numRuns: 1_000 },
    );
  });
});
