import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { positionOf } from './position.js';
import { type LostTail, Positions } from './positions.js';

describe('Positions', () => {
  it('given a log that lost no tail, then all records are of its generation', () => {
    const positions = new Positions(2);
    expect([positions.of(0), positions.of(99)]).toEqual([positionOf(2, 0), positionOf(2, 99)]);
    expect(positions.lostFrom).toBeUndefined();
  });

  it('given a lost tail, then records below it keep their generation, and those from it on have the next one', () => {
    const positions = new Positions(0, [{ fromOffset: 80, generation: 1 }]);
    expect([positions.of(79), positions.of(80)]).toEqual([79, positionOf(1, 80)]);
    expect(positions.lostFrom).toBe(80);
  });

  it('given a second loss above the first, then each part has its generation', () => {
    const lost = [
      { fromOffset: 90, generation: 4 },
      { fromOffset: 80, generation: 1 },
    ];
    const positions = new Positions(0, lost);
    expect([79, 85, 90].map((offset) => positions.of(offset))).toEqual([79, positionOf(1, 85), positionOf(4, 90)]);
  });

  it.each([70, 80])(
    'given a second loss at %d, below the first or at it, then the first has no records any more',
    (at) => {
      const lost = [
        { fromOffset: 80, generation: 1 },
        { fromOffset: at, generation: 2 },
      ];
      const positions = new Positions(0, lost);
      expect([at - 1, at, 85].map((offset) => positions.of(offset))).toEqual([
        at - 1,
        positionOf(2, at),
        positionOf(2, 85),
      ]);
    },
  );

  it('given any losses, then a new record is above every position given before, and positions grow with offsets', () => {
    const losses = fc.array(fc.record({ keep: fc.nat(100), grow: fc.nat(100) }), { maxLength: 8 });
    fc.assert(
      fc.property(losses, fc.nat(100), (each, grownFirst) => {
        const lost: LostTail[] = [];
        const given: number[] = [];
        let end = 0;
        const grow = (count: number) => {
          const positions = new Positions(3, lost);
          for (let left = count; left > 0; left--) given.push(positions.of(end++));
        };
        grow(grownFirst);
        for (const { keep, grow: count } of each) {
          end = Math.min(end, keep);
          lost.push({ fromOffset: end, generation: 4 + lost.length });
          grow(count);
        }
        expect(given).toEqual(given.toSorted((a, b) => a - b));
        const positions = new Positions(3, lost);
        const present = Array.from({ length: end }, (_, offset) => positions.of(offset));
        expect(present).toEqual([...new Set(present)].sort((a, b) => a - b));
        expect(present.every((position) => given.includes(position))).toBe(true);
      }),
    );
  });
});
