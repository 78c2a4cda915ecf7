import { RecentMap } from './recent-map.js';

const CAPACITY = 10;

describe('RecentMap', () => {
  it('given more keys than it keeps, then it has the last ones, and never more than twice its capacity', () => {
    const map = new RecentMap<number, { of: number }>(CAPACITY);
    for (let key = 0; key < 1_000; key++) {
      map.set(key, { of: key });
      expect(map.size).toBeLessThanOrEqual(2 * CAPACITY);
      for (let recent = Math.max(0, key - CAPACITY + 1); recent <= key; recent++) {
        expect(map.get(recent)).toEqual({ of: recent });
      }
    }
    expect(map.get(0)).toBeUndefined();
  });

  it('given a key that is read again and again, then it stays', () => {
    const map = new RecentMap<string, { of: number }>(CAPACITY);
    map.set('hot', { of: -1 });
    for (let key = 0; key < 1_000; key++) {
      map.set(`cold-${key}`, { of: key });
      expect(map.get('hot')).toEqual({ of: -1 });
    }
  });

  it('given a key that is set twice and deleted, then it has one value, and none afterwards', () => {
    const map = new RecentMap<string, { of: number }>(2);
    map.set('a', { of: 1 });
    map.set('b', { of: 1 });
    map.set('a', { of: 2 });
    expect([map.get('a'), map.size]).toEqual([{ of: 2 }, 2]);
    map.delete('a');
    expect([map.get('a'), map.size]).toEqual([undefined, 1]);
  });
});
