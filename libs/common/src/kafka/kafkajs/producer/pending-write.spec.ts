import fc from 'fast-check';
import type { OutRecord } from '../../../records/record.js';
import { bytesOf, type PendingWrite, partsOf } from './pending-write.js';

const MAX_BYTES = 1_000;

function writeOf(records: readonly OutRecord[]): PendingWrite {
  const settle = () => undefined;
  return { bytes: bytesOf(records), resolve: settle, reject: settle, openParts: 1, timer: undefined, isSettled: false };
}

const records = fc.array(
  fc.nat({ max: 2 * MAX_BYTES }).map((bytes): OutRecord => ({ topic: 't', key: null, value: 'x'.repeat(bytes) })),
  { minLength: 1, maxLength: 20 },
);

describe('partsOf', () => {
  it('given any records, then each part fits one request or is a record alone, and their order is kept', () => {
    fc.assert(
      fc.property(records, (given) => {
        const write = writeOf(given);
        const parts = partsOf(write, given, MAX_BYTES);
        expect(parts.flatMap((part) => part.records)).toEqual(given);
        expect(write.openParts).toBe(parts.length);
        for (const part of parts) {
          expect(part.bytes).toBe(bytesOf(part.records));
          expect(part.bytes <= MAX_BYTES || part.records.length === 1).toBe(true);
        }
      }),
    );
  });
});
