import { describe, expect, it } from '@jest/globals';
import { until } from './until.mjs';

const LIMITS = { timeoutMs: 50, everyMs: 5 };

describe('until', () => {
  it('given a condition that throws and then holds, then until resolves', async () => {
    let calls = 0;
    const condition = () => {
      if (++calls < 3) throw new Error('away');
      return true;
    };
    await until('the server is there', condition, { timeoutMs: 20_000, everyMs: 5 });
    expect(calls).toBe(3);
  });

  it('given a condition that throws for too long, then the message has its error', async () => {
    const condition = () => Promise.reject(new Error('away'));
    await expect(until('the server is there', condition, LIMITS)).rejects.toThrow(
      'the server is there: not after 0 s: away',
    );
  });

  it('given a strict wait, then an error of the condition is thrown at once', async () => {
    let calls = 0;
    const condition = () => {
      calls++;
      throw new Error('wrong');
    };
    await expect(until('it holds', condition, { timeoutMs: 20_000, isStrict: true })).rejects.toThrow(/^wrong$/);
    expect(calls).toBe(1);
  });

  it('given no time, then the condition is checked once', async () => {
    await until('it holds', () => true, { timeoutMs: 0 });
  });
});
