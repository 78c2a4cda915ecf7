import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { TextStore } from './text-store.js';

const SLAB_BYTES = 262_144;

const steps = fc.array(
  fc.record({
    key: fc.nat(30).map(String),
    text: fc.oneof(
      fc.constantFrom('', undefined),
      fc.string({ unit: 'binary' }),
      fc
        .constantFrom(1_000, 100_000, 262_136, 262_137, 262_140, 262_141, 300_000)
        .map((length) => `ü${'x'.repeat(length - 2)}`),
    ),
  }),
  { maxLength: 150, size: 'max' },
);

describe('TextStore', () => {
  it('given any texts that come, change and go, then each is there as it was set last, within the bound of bytes', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const store = new TextStore();
        const model = new Map<string, string>();
        for (const { key, text } of all) {
          if (text === undefined) {
            store.delete(key);
            model.delete(key);
          } else {
            store.set(key, text);
            model.set(key, text);
          }
          expect(store.size).toBe(model.size);
          expect(store.get(key) === text).toBe(true);
        }
        for (const [key, text] of model) expect(store.get(key) === text).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  it('given texts that change again and again, then the bytes stay within twice those of the texts', () => {
    const store = new TextStore();
    const [texts, length] = [1_000, 2_000];
    for (let round = 0; round < 20; round++) {
      for (let key = 0; key < texts; key++) store.set(`${key}`, `${round}`.padEnd(length, 'x'));
      expect(store.bytes).toBeLessThan(2 * texts * length);
    }
    for (let key = 0; key < texts; key++) expect(store.get(`${key}`)).toBe('19'.padEnd(length, 'x'));
    for (let key = 0; key < texts; key++) store.delete(`${key}`);
    expect(store.bytes).toBeLessThanOrEqual(2 * SLAB_BYTES);
    expect(store.get('0')).toBeUndefined();
  });
});
