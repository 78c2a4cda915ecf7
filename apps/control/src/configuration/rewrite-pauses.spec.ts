import { RewritePauses } from './rewrite-pauses.js';

const SECOND = 1_000;

function clock() {
  const time = { now: 0 };
  return { time, pauses: new RewritePauses(() => time.now) };
}

describe('RewritePauses', () => {
  it('given two bad records in a row, then the second is mended half a second after the first; other keys at once', () => {
    const { time, pauses } = clock();
    expect(pauses.take('a')).toBe(true);
    expect([pauses.take('a'), pauses.take('b')]).toEqual([false, true]);
    time.now = 500;
    expect(pauses.take('a')).toBe(true);
  });

  it('given a key that never comes to rest, then in an hour it is written some 130 times, and not 7200 times', () => {
    const { time, pauses } = clock();
    let writings = 0;
    for (; time.now < 3_600 * SECOND; time.now += 100) if (pauses.take('a')) writings++;
    expect(writings).toBeGreaterThan(100);
    expect(writings).toBeLessThan(150);
  });

  it('given a quiet minute, then the key begins again with the first pause', () => {
    const { time, pauses } = clock();
    for (; time.now < 120 * SECOND; time.now += 100) pauses.take('a');
    time.now += 60 * SECOND;
    expect(pauses.take('a')).toBe(true);
    time.now += 500;
    expect(pauses.take('a')).toBe(true);
  });
});
