import fc from 'fast-check';
import { Postings } from './postings.js';

const TENANTS = 3;
const PATTERNS = 2;
const tenantOf = (slot: number) => (slot * 7) % TENANTS;

/** Blocks of four slots, so that a few slots take several. */
const postings = () => new Postings(tenantOf, 4);

const change = fc.record({ pattern: fc.nat(PATTERNS - 1), slot: fc.nat(60), isAdded: fc.boolean() });

describe('Postings', () => {
  it('given any additions and removals, then each tenant has the slots that are left, in order', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 200, size: 'max' }), (changes) => {
        const [kept, left] = [postings(), Array.from({ length: PATTERNS }, () => new Set<number>())];
        for (const { pattern, slot, isAdded } of changes) {
          const slots = left[pattern] as Set<number>;
          if (isAdded && !slots.has(slot)) kept.add(pattern, slot);
          if (isAdded) slots.add(slot);
          else if (slots.delete(slot)) expect(kept.remove(pattern, slot)).toBe(slots.size === 0);
        }
        for (const [pattern, slots] of left.entries()) {
          for (let tenant = 0; tenant < TENANTS; tenant++) {
            const expected = [...slots].filter((slot) => tenantOf(slot) === tenant).sort((a, b) => a - b);
            expect(kept.of(pattern, tenant)).toEqual(expected);
          }
        }
      }),
    );
  });

  it('given an unknown pattern, then no slot has it', () => {
    expect(postings().of(9, 0)).toEqual([]);
  });

  it('given blocks of the usual size, then all slots are found that are not removed', () => {
    const kept = new Postings(() => 1);
    const slots = Array.from({ length: 5_000 }, (_, index) => (index * 1_237) % 5_000);
    for (const slot of slots) kept.add(0, slot);
    expect(kept.of(0, 1)).toEqual([...slots].sort((a, b) => a - b));
    expect(kept.of(0, 0)).toEqual([]);
    for (const slot of slots.slice(0, 2_500)) expect(kept.remove(0, slot)).toBe(false);
    expect(kept.of(0, 1)).toEqual(slots.slice(2_500).sort((a, b) => a - b));
  });
});
