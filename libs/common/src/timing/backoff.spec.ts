import { Backoff } from './backoff.js';

function waits(backoff: Backoff, count: number): number[] {
  return Array.from({ length: count }, () => backoff.next());
}

describe('Backoff', () => {
  it('given failures in a row, then the wait doubles up to its limit', () => {
    expect(waits(new Backoff(), 7)).toEqual([100, 200, 400, 800, 1_600, 2_000, 2_000]);
    expect(waits(new Backoff(1_000, 15_000), 6)).toEqual([1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
  });

  it('given a success, then the next wait is the shortest again', () => {
    const backoff = new Backoff();
    waits(backoff, 5);
    backoff.reset();
    expect(waits(backoff, 2)).toEqual([100, 200]);
  });
});
