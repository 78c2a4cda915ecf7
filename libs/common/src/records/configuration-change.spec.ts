import fc from 'fast-check';
import { decodeChange, encodeChange, nextVersion } from './configuration-change.js';
import { MAX_SEQUENCE, MAX_VERSION } from './limits.js';

const sequences = fc.nat({ max: MAX_SEQUENCE });
const versions = fc.nat({ max: MAX_VERSION });
const ids = fc.stringMatching(/^[0-9a-f]{0,32}$/);

describe('the header of a change', () => {
  it('given any change, then what is read is what was written', () => {
    fc.assert(
      fc.property(sequences, ids, versions, (sequence, id, version) => {
        const change = { sequence, id, version };
        expect(decodeChange(Buffer.from(encodeChange(change)))).toEqual(change);
      }),
    );
  });

  it('given a sequence above those of records, then the change is written unnumbered, with its version', () => {
    const change = { sequence: MAX_SEQUENCE + 1, id: 'id', version: 7 };
    expect(decodeChange(Buffer.from(encodeChange(change)))).toEqual({ sequence: 0, id: '', version: 7 });
  });

  it.each([undefined, '', '2\n2\nid\n3', 'junk'])('given %j, then it is no change of this format', (text) => {
    expect(decodeChange(text === undefined ? undefined : Buffer.from(text))).toBeUndefined();
  });

  it.each([
    '1',
    '1\n2\nid',
    '1\n-2\nid\n3',
    '1\n2\nid\n3\n4',
    '1\n9999999999999999\nid\n3',
    '1\n\nid\n3',
    `1\n${MAX_SEQUENCE + 1}\nid\n3`,
    `1\n2\nid\n${MAX_VERSION + 1}`,
    '1\n2\nid\n999999999999999',
    '1\n2\nid\n1.5',
  ])('given %j, then it is malformed', (text) => {
    expect(() => decodeChange(Buffer.from(text))).toThrow('posthorn-change');
  });

  it('given any version that is read, then the next one is read, too, and is not lower', () => {
    fc.assert(
      fc.property(fc.oneof(versions, fc.constant(MAX_VERSION)), (version) => {
        const next = nextVersion(version);
        expect(next).toBeGreaterThanOrEqual(version);
        expect(decodeChange(Buffer.from(encodeChange({ sequence: 1, id: 'x', version: next })))?.version).toBe(next);
      }),
    );
  });
});
