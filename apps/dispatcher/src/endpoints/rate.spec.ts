import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Rate } from './rate.js';

describe('Rate', () => {
  it('given any calls, then no more than the rate and one second of it are let through', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 300 }),
        (perSecond, pauses) => {
          const rate = new Rate(perSecond, 0);
          let now = 0;
          let taken = 0;
          for (const pause of pauses) {
            now += pause;
            if (rate.waitMs(now) > 0) continue;
            rate.take(now);
            taken++;
          }
          expect(taken).toBeLessThanOrEqual(perSecond + (now / 1_000) * perSecond + 1e-6);
        },
      ),
    );
  });

  it('given no token, when it was waited as told, then there is one', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.1, max: 1_000, noNaN: true }), (perSecond) => {
        const rate = new Rate(perSecond, 0);
        while (rate.waitMs(0) === 0) rate.take(0);
        expect(rate.waitMs(rate.waitMs(0) + 1)).toBe(0);
      }),
    );
  });

  it('given a token taken, then the bucket is full again when it has come back, and not before', () => {
    const rate = new Rate(2, 0);
    expect(rate.isFull(0)).toBe(true);
    rate.take(0);
    expect([rate.isFull(499), rate.isFull(500)]).toEqual([false, true]);
  });
});
