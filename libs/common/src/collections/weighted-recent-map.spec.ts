import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { WeightedRecentMap } from './weighted-recent-map.js';

type Step = { readonly key: string; readonly weight: number } & { readonly type: 'set' | 'get' | 'delete' };

const steps = fc.array(
  fc.record<Step>({
    type: fc.constantFrom('set', 'get', 'delete'),
    key: fc.nat(40).map(String),
    weight: fc.integer({ min: 0, max: 10 }),
  }),
  { maxLength: 400, size: 'max' },
);
const MAX_WEIGHT = 80;
const SEGMENT_WEIGHT = MAX_WEIGHT / 8;
/** The values used last stay up to this weight: less one segment, and one value. */
const GUARANTEED = MAX_WEIGHT - 2 * SEGMENT_WEIGHT;

interface Use {
  readonly key: string;
  readonly value: number;
  readonly weight: number;
  /** Since its last use there was never more weight than stays for certain. */
  isSure: boolean;
}

/** Values in order of their last use, the last one first. */
class Uses {
  private all: Use[] = [];

  find(key: string): Use | undefined {
    return this.all.find((use) => use.key === key);
  }

  use(key: string, { value, weight }: Pick<Use, 'value' | 'weight'>): void {
    this.remove(key);
    this.all.unshift({ key, value, weight, isSure: true });
    let sum = 0;
    for (const use of this.all) {
      sum += use.weight;
      if (sum > GUARANTEED) use.isSure = false;
    }
  }

  remove(key: string): void {
    this.all = this.all.filter((use) => use.key !== key);
  }
}

describe('WeightedRecentMap', () => {
  it('given any uses, then the weight stays within the limit, values are those set last, and the recent ones are there', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const map = new WeightedRecentMap<number>(MAX_WEIGHT);
        const uses = new Uses();
        for (const [value, { type, key, weight }] of all.entries()) {
          if (type === 'set') {
            map.set(key, value, weight);
            uses.use(key, { value, weight });
          } else if (type === 'delete') {
            map.delete(key);
            uses.remove(key);
          } else {
            const known = uses.find(key);
            const found = map.get(key);
            if (known?.isSure || found !== undefined) expect(found).toBe(known?.value);
            if (found === undefined || known === undefined) uses.remove(key);
            else uses.use(key, known);
          }
          expect(map.weight).toBeLessThanOrEqual(MAX_WEIGHT);
        }
      }),
    );
  });

  it('given a value that is used again and again, then it outlives all others', () => {
    const map = new WeightedRecentMap<string>(MAX_WEIGHT);
    map.set('kept', 'value', 1);
    for (let number = 0; number < 1_000; number++) {
      map.set(`other-${number}`, 'value', 1);
      expect(map.get('kept')).toBe('value');
    }
    expect(map.size).toBeLessThanOrEqual(MAX_WEIGHT);
    expect(map.get('other-0')).toBeUndefined();
  });

  it('given a value beyond an eighth of the limit, then it is not kept, and the others stay', () => {
    const map = new WeightedRecentMap<string>(MAX_WEIGHT);
    map.set('small', 'value', 1);
    map.set('great', 'value', SEGMENT_WEIGHT + 1);
    expect({ small: map.get('small'), great: map.get('great'), weight: map.weight }).toEqual({
      small: 'value',
      great: undefined,
      weight: 1,
    });
  });

  it('given a value that replaces one, then the former weight is free', () => {
    const map = new WeightedRecentMap<string>(MAX_WEIGHT);
    map.set('key', 'first', 9);
    map.set('key', 'second', 2);
    expect({ value: map.get('key'), weight: map.weight, size: map.size }).toEqual({
      value: 'second',
      weight: 2,
      size: 1,
    });
  });
});
