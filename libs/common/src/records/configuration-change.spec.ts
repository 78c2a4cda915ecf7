import fc from 'fast-check';
import { decodeChange, encodeChange } from './configuration-change.js';

describe('the header of a change', () => {
  it('given any change, then what is read is what was written', () => {
    const number = fc.nat({ max: 2 ** 40 });
    fc.assert(
      fc.property(number, fc.stringMatching(/^[0-9a-f]{0,32}$/), number, (sequence, id, version) => {
        const change = { sequence, id, version };
        expect(decodeChange(Buffer.from(encodeChange(change)))).toEqual(change);
      }),
    );
  });

  it.each([
    '',
    '1',
    '1\n2\nid',
    '2\n2\nid\n3',
    '1\n-2\nid\n3',
    '1\n2\nid\n3\n4',
    '1\n9999999999999999\nid\n3',
    '1\n\nid\n3',
  ])('given %j, then it is no change', (text) => {
    expect(decodeChange(Buffer.from(text))).toBeUndefined();
  });

  it('given any bytes, then reading them never throws', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void decodeChange(Buffer.from(bytes))));
  });
});
