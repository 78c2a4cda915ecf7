import fc from 'fast-check';
import { Bag, type Bagged } from './bag.js';

const item = (): Bagged => ({ bagIndex: 0 });

describe('Bag', () => {
  it('given any order of comings and goings, then it holds what a set would hold', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(9))), (steps) => {
        const items = Array.from({ length: 10 }, item);
        const bag = new Bag<Bagged>();
        const expected = new Set<Bagged>();
        for (const [isAdded, index] of steps) {
          const one = items[index] as Bagged;
          if (!isAdded) expect(bag.delete(one)).toBe(expected.delete(one));
          else if (!expected.has(one)) bag.add(one);
          if (isAdded) expected.add(one);
          expect(new Set(bag)).toEqual(expected);
          expect(bag.size).toBe(expected.size);
        }
      }),
    );
  });

  it('given members that leave while they are gone through, then each is met', () => {
    const bag = new Bag<Bagged>();
    for (let count = 0; count < 5; count++) bag.add(item());
    let met = 0;
    for (const one of bag) if (bag.delete(one)) met++;
    expect([met, bag.size]).toEqual([5, 0]);
  });
});
