import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { wholeNumber } from '../records/packed-fields.js';
import { carriedPosition, generationOf, offsetOf, positionOf } from './position.js';

const generations = fc.integer({ min: 0, max: 908 });
const offsets = fc.integer({ min: 0, max: 2 ** 40 - 1 });

describe('positionOf', () => {
  it('given generation 0, then the position is the offset: what older releases stored stays right', () => {
    expect([positionOf(0, 0), positionOf(0, 4_711)]).toEqual([0, 4_711]);
  });

  it('given any generation and offset, then both are found again, and a packed field holds the number', () => {
    fc.assert(
      fc.property(generations, offsets, (generation, offset) => {
        const position = positionOf(generation, offset);
        expect([generationOf(position), offsetOf(position)]).toEqual([generation, offset]);
        expect(wholeNumber(String(position))).toBe(position);
      }),
    );
  });

  it('given two generations, then every position of the later one is above all of the earlier one', () => {
    fc.assert(
      fc.property(generations, offsets, offsets, (generation, earlier, later) => {
        fc.pre(generation < 908);
        expect(positionOf(generation + 1, later)).toBeGreaterThan(positionOf(generation, earlier));
      }),
    );
  });

  it.each([
    [-1, 0],
    [0, -1],
    [909, 0],
    [0, 2 ** 40],
  ])('given generation %d and offset %d, then it throws', (generation, offset) => {
    expect(() => positionOf(generation, offset)).toThrow(RangeError);
  });
});

describe('carriedPosition', () => {
  it('given ordinals, then they are above the offsets of their generation and below the next one', () => {
    expect(carriedPosition(3, 0)).toBeGreaterThan(positionOf(3, 2 ** 39 - 1));
    expect(carriedPosition(3, 1)).toBe(carriedPosition(3, 0) + 1);
    expect(carriedPosition(3, 2 ** 38)).toBeLessThan(positionOf(4, 0));
  });
});
