import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { leastMs } from './least-ms.js';

afterEach(() => {
  jest.restoreAllMocks();
});

describe('leastMs', () => {
  it('given slow results before a fast one, then the fast one is returned and the measurement ends', async () => {
    const results = [30, 12, 8, 1];
    expect(await leastMs(() => results.shift() ?? 0, 10)).toBe(8);
    expect(results).toEqual([1]);
  });

  it('given results that are never below the limit, then the least one is returned after 5 s', async () => {
    let nowMs = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => nowMs);
    const results = [30, 12, 20, 15, 14, 11];
    const measure = () => {
      nowMs += 1_000;
      return results.shift() ?? 0;
    };
    expect(await leastMs(measure, 10)).toBe(12);
    expect(results).toEqual([11]);
  });
});
