import fc from 'fast-check';
import { decodeHeaders, encodeHeaders, namedHeaders } from './stored-headers.js';

const bytes = fc.uint8Array({ maxLength: 20 }).map((list) => Buffer.from(list));
const strange = fc.constantFrom(
  '',
  '__proto__',
  'constructor',
  'a\0b',
  '\0',
  '\x01',
  '\x01YQ==',
  'ä',
  '\n',
  'toString',
);
const name = fc.oneof(
  strange,
  fc.string({ unit: 'binary' }).map((text) => text.toWellFormed()),
);

describe('headers in the database', () => {
  it('given any headers, then JSON brings them back, in ASCII and without NUL', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(name, bytes)), (given) => {
        const headers = new Map(given);
        const json = JSON.stringify(encodeHeaders(Object.fromEntries(headers)));
        expect(json).toMatch(/^[\x20-\x7e]*$/);
        expect(json).not.toContain('\\u0000');
        const back = decodeHeaders(JSON.parse(json));
        expect(new Map(Object.entries(back))).toEqual(headers);
        expect(Object.keys(namedHeaders(JSON.parse(json))).sort()).toEqual([...headers.keys()].sort());
      }),
    );
  });

  it('given a header, then it is stored as older processes read it', () => {
    expect({ ...encodeHeaders({ posthorn: 'x', own: Buffer.from([0xff]) }) }).toEqual({
      posthorn: 'eA==',
      own: '/w==',
    });
  });

  it.each(['ä', '\x01abc', '\x01'])('given the name %j in an older row, then it is that name', (old) => {
    expect(Object.keys(decodeHeaders({ [old]: 'eA==' }))).toEqual([old]);
  });
});
