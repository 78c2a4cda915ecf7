import fc from 'fast-check';
import { SlotMap } from './slot-map.js';

describe('SlotMap', () => {
  it('given any order of settings and deletions, then it holds what a map would hold', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(9))), (steps) => {
        const slots = new SlotMap<number, { at: number }>();
        const expected = new Map<number, { at: number }>();
        for (const [at, [isSet, key]] of steps.entries()) {
          if (isSet) {
            slots.set(key, { at });
            expected.set(key, { at });
          } else {
            slots.delete(key);
            expected.delete(key);
          }
          for (let each = 0; each < 10; each++) expect(slots.get(each)).toEqual(expected.get(each));
          expect(new Set(slots.values())).toEqual(new Set(expected.values()));
          expect(slots.values()).toHaveLength(expected.size);
        }
      }),
    );
  });
});
