import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SharedValues } from './shared-values.js';

describe('SharedValues', () => {
  it('given any owners, then each finds its value, equal ones share one, and only those with an owner are kept', () => {
    const step = fc.record({ isTaken: fc.boolean(), value: fc.integer({ min: 0, max: 5 }), owner: fc.nat() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (steps) => {
        const shared = new SharedValues<{ n: number }>();
        const owners: { number: number; value: number }[] = [];
        for (const { isTaken, value, owner } of steps) {
          if (isTaken) owners.push({ number: shared.take({ n: value }), value });
          else if (owners.length > 0) {
            const [left] = owners.splice(owner % owners.length, 1);
            shared.release(left?.number ?? -1);
          }
          for (const { number, value: own } of owners) expect(shared.get(number)).toEqual({ n: own });
          expect(shared.size).toBe(new Set(owners.map((one) => one.value)).size);
          expect(new Set(owners.map(({ number }) => number)).size).toBe(shared.size);
        }
      }),
    );
  });

  it('given equal values, then all owners get the same object', () => {
    const shared = new SharedValues<{ n: number }>();
    const [first, second] = [shared.take({ n: 1 }), shared.take({ n: 1 })];
    expect(shared.get(first)).toBe(shared.get(second));
  });

  it('given a number that no value has, then it is an error', () => {
    const shared = new SharedValues<number>();
    shared.release(shared.take(1));
    expect(() => shared.get(0)).toThrow(RangeError);
    expect(() => shared.release(0)).toThrow(RangeError);
  });
});
