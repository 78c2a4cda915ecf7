import { Deletions } from './deletions.js';

const MAX_VERSION = 1_000;

describe('Deletions', () => {
  it('given a deletion, then it covers its version and older ones, and no newer one', () => {
    const deletions = new Deletions(10, MAX_VERSION);
    deletions.add('a', 5);
    expect([4, 5, 6].map((version) => deletions.covers('a', version))).toEqual([true, true, false]);
    expect(deletions.covers('b', 1)).toBe(false);
  });

  it('given a deletion without a version, then it is known and covers nothing', () => {
    const deletions = new Deletions(10, MAX_VERSION);
    deletions.add('a', undefined);
    expect([deletions.has('a'), deletions.covers('a', 0)]).toEqual([true, false]);
  });

  it('given a second deletion that is older, or carries no version, then the newer one counts', () => {
    const deletions = new Deletions(10, MAX_VERSION);
    for (const version of [5, 3, undefined]) deletions.add('a', version);
    expect(deletions.covers('a', 5)).toBe(true);
  });

  it('given more than the limit, then the oldest are evicted', () => {
    const deletions = new Deletions(2, MAX_VERSION);
    for (const id of ['a', 'b', 'a', 'c']) deletions.add(id, 1);
    expect(['a', 'b', 'c'].map((id) => deletions.has(id))).toEqual([true, false, true]);
  });

  it('given an id that is in use again, then it is forgotten', () => {
    const deletions = new Deletions(2, MAX_VERSION);
    deletions.add('a', 1);
    deletions.remove('a');
    expect(deletions.has('a')).toBe(false);
  });

  it('given a deletion at the highest version, then a later record of this version counts, and an older one does not', () => {
    const deletions = new Deletions(10, MAX_VERSION);
    deletions.add('a', MAX_VERSION);
    expect([MAX_VERSION, MAX_VERSION - 1].map((version) => deletions.covers('a', version))).toEqual([false, true]);
  });
});
