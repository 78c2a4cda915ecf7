import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { RecentSet } from './recent-set.js';

describe('RecentSet', () => {
  it('given any values, then the last ones are remembered, and no more than twice as many', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.array(fc.nat(200).map(String)), (capacity, values) => {
        const recent = new RecentSet(capacity);
        for (const [index, value] of values.entries()) {
          recent.add(value);
          const seen = values.slice(0, index + 1);
          const lastOnes = [...new Set(seen.toReversed())].slice(0, capacity);
          expect(lastOnes.every((last) => recent.has(last))).toBe(true);
          expect([...new Set(seen)].filter((each) => recent.has(each)).length).toBeLessThanOrEqual(2 * capacity);
        }
      }),
    );
  });

  it('given a value that was never added, then it is not there', () => {
    expect(new RecentSet(3).has('x')).toBe(false);
  });

  it('given values cut out of long texts and joined, then the texts are not kept', () => {
    const recent = new RecentSet(100);
    const before = liveBytes();
    for (let index = 0; index < 100; index++) {
      const text = `${index}`.padStart(1_000_000);
      recent.add(`${text.slice(-30)}/${index}`);
    }
    expect(liveBytes() - before).toBeLessThan(10_000_000);
    expect(recent.has(`${'17'.padStart(30)}/17`)).toBe(true);
  });

  it('given room for none, then nothing is remembered', () => {
    const recent = new RecentSet(0);
    recent.add('x');
    expect(recent.has('x')).toBe(false);
  });
});

function liveBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}
