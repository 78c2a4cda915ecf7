import fc from 'fast-check';
import { decodeFinished, encodeFinished, MAX_METADATA_BYTES } from './finished-runs.js';

function finishedSet(watermark: number) {
  return fc.array(fc.tuple(fc.nat(300), fc.integer({ min: 1, max: 300 })), { maxLength: 60 }).map((runs) =>
    runs.reduce<number[]>((offsets, [gap, length]) => {
      const first = (offsets.at(-1) ?? watermark) + 1 + gap;
      for (let index = 0; index < length; index++) offsets.push(first + index);
      return offsets;
    }, []),
  );
}

describe('the codec of finished offsets', () => {
  it('given any offsets, then they come back', () => {
    fc.assert(
      fc.property(
        fc
          .maxSafeNat()
          .map((offset) => Math.min(offset, 2 ** 52))
          .chain((mark) => fc.tuple(fc.constant(mark), finishedSet(mark))),
        ([watermark, finished]) => {
          const metadata = encodeFinished(watermark, finished);
          expect(metadata.length).toBeLessThanOrEqual(MAX_METADATA_BYTES);
          expect(decodeFinished(watermark, metadata)).toEqual(finished);
        },
      ),
    );
  });

  it('given more than fits, then the lowest come back, and the metadata is as long as may be', () => {
    const finished = Array.from({ length: 20_000 }, (_, index) => 1_001 + 2 * index);
    const metadata = encodeFinished(1_000, finished);
    expect(metadata.length).toBeLessThanOrEqual(MAX_METADATA_BYTES);
    expect(metadata.length).toBeGreaterThan(MAX_METADATA_BYTES - 8);
    const decoded = decodeFinished(1_000, metadata);
    expect(decoded.length).toBeGreaterThan(1_500);
    expect(decoded).toEqual(finished.slice(0, decoded.length));
  });

  it('given any limit, then it is kept and what comes back is the beginning', () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 60 }), finishedSet(100), (maxBytes, finished) => {
        const metadata = encodeFinished(100, finished, maxBytes);
        expect(metadata.length).toBeLessThanOrEqual(maxBytes);
        const decoded = decodeFinished(100, metadata);
        expect(decoded).toEqual(finished.slice(0, decoded.length));
      }),
    );
  });

  it('given nothing finished, then there is no metadata', () => {
    expect(encodeFinished(7, [])).toBe('');
  });

  it.each([null, undefined, '', '1', '1AQE', 'ph2:AQE', 'ph1:AQ E', 'ph1:Ä', 'some other tool', 'ph1', 'ph1:'])(
    'given %j, which is not ours, then nothing counts as finished',
    (metadata) => {
      expect(decodeFinished(0, metadata)).toEqual([]);
    },
  );

  it('given absurd run lengths, then memory is safe', () => {
    const absurd = `ph1:${Buffer.from([1, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]).toString('base64url')}`;
    expect(decodeFinished(0, absurd)).toEqual([]);
  });

  it('given a run above the last exact number, then reading ends', () => {
    const beyond = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10, 0xff, 0x7f];
    expect(decodeFinished(0, `ph1:${Buffer.from(beyond).toString('base64url')}`)).toEqual([]);
  });

  it('given any text at all, then it is read or refused, and never throws', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        decodeFinished(0, text);
        decodeFinished(0, `ph1:${text}`);
      }),
    );
  });
});
