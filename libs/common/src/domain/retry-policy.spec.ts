import fc from 'fast-check';
import {
  attemptsAllowed,
  backoffMs,
  cappedDelayMs,
  clampDelayMs,
  exponentialDelaysMs,
  JITTERS,
  type Jitter,
  MAX_DELAY_MS,
  MIN_DELAY_MS,
  PRESETS,
  REPLAY_ATTEMPTS,
  type RetryPolicy,
} from './retry-policy.js';

const DAY_MS = 86_400_000;
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const delays = fc.array(fc.integer({ min: MIN_DELAY_MS, max: MAX_DELAY_MS }), { maxLength: 20 });
const policies: fc.Arbitrary<RetryPolicy> = fc.record({
  delaysMs: delays,
  jitter: fc.constantFrom(...JITTERS),
  permanentStatuses: fc.constant([]),
});

/** The waits of a whole life, with the jitter's random number fixed. */
function schedule(policy: RetryPolicy, fraction = 0.5): (number | undefined)[] {
  return Array.from({ length: attemptsAllowed(policy, 0) }, (_, index) => backoffMs(policy, index + 1, () => fraction));
}

describe('the presets', () => {
  it('quick: 4 attempts, 4 s, 16 s and 64 s apart, exactly', () => {
    expect(attemptsAllowed(PRESETS.quick, 0)).toBe(4);
    for (const fraction of [0, 0.5, 0.999]) {
      expect(schedule(PRESETS.quick, fraction)).toEqual([4_000, 16_000, 64_000, undefined]);
    }
    expect(PRESETS.quick.permanentStatuses).toEqual([]);
  });

  it('patient: 14 attempts over 3.42 days, doubling from a minute, no wait above a day', () => {
    expect(attemptsAllowed(PRESETS.patient, 0)).toBe(14);
    const waits = PRESETS.patient.delaysMs;
    expect(waits).toEqual([...Array.from({ length: 11 }, (_, index) => 60_000 * 2 ** index), DAY_MS, DAY_MS]);
    expect(waits.reduce((sum, wait) => sum + wait, 0) / DAY_MS).toBeCloseTo(3.42, 2);
    expect(schedule(PRESETS.patient, 0.999).every((wait) => wait === undefined || wait <= DAY_MS)).toBe(true);
    expect(PRESETS.patient.jitter).not.toBe('none');
  });

  it('gentle: 9 attempts, doubling from a second, full jitter, 401 and 404 permanent', () => {
    expect(PRESETS.gentle.delaysMs).toEqual([1, 2, 4, 8, 16, 32, 64, 128].map((seconds) => seconds * 1_000));
    expect(PRESETS.gentle).toMatchObject({ jitter: 'full', capMs: DAY_MS, permanentStatuses: [401, 404] });
    expect(attemptsAllowed(PRESETS.gentle, 0)).toBe(9);
  });
});

describe('exponentialDelaysMs', () => {
  it('given the figures of a form, then it is spelt out', () => {
    const form = { attempts: 5, initialMs: 1_000, factor: 2, capMs: 5_000 };
    expect(exponentialDelaysMs(form)).toEqual([1_000, 2_000, 4_000, 5_000]);
    expect(exponentialDelaysMs({ ...form, attempts: 1 })).toEqual([]);
    expect(exponentialDelaysMs({ ...form, factor: 1.5 })).toEqual([1_000, 1_500, 2_250, 3_375]);
  });

  it('given no attempt, then it throws', () => {
    expect(() => exponentialDelaysMs({ attempts: 0, initialMs: 1, factor: 2, capMs: 1 })).toThrow(RangeError);
  });

  it('given any figures, then delays are whole, never shrink and never exceed the cap', () => {
    const form = fc.record({
      attempts: fc.integer({ min: 1, max: 500 }),
      initialMs: fc.integer({ min: 100, max: MAX_DELAY_MS }),
      factor: fc.double({ min: 1, max: 100, noNaN: true }),
      capMs: fc.integer({ min: 100, max: MAX_DELAY_MS }),
    });
    fc.assert(
      fc.property(form, (given) => {
        const waits = exponentialDelaysMs(given);
        expect(waits).toHaveLength(given.attempts - 1);
        expect(waits.every((wait) => Number.isInteger(wait) && wait <= given.capMs)).toBe(true);
        expect(waits).toEqual([...waits].sort((a, b) => a - b));
      }),
    );
  });
});

describe('backoffMs', () => {
  /** Bounds as parts of the base delay. */
  const BOUNDS: Record<Jitter, [number, number]> = {
    none: [1, 1],
    percent10: [0.9, 1.1],
    equal: [0.5, 1],
    full: [0, 1],
  };

  it.each(JITTERS)('given jitter %s, then the wait is within its bounds, and uses them', (jitter) => {
    const policy: RetryPolicy = { delaysMs: [1_000_000], jitter, permanentStatuses: [] };
    const [low, high] = BOUNDS[jitter];
    expect(backoffMs(policy, 1, () => 0)).toBe(Math.max(MIN_DELAY_MS, low * 1_000_000));
    expect(backoffMs(policy, 1, () => 1 - 1e-9)).toBe(high * 1_000_000);
    fc.assert(
      fc.property(random, (fraction) => {
        const wait = backoffMs(policy, 1, () => fraction);
        expect(wait).toBeGreaterThanOrEqual(low * 1_000_000);
        expect(wait).toBeLessThanOrEqual(high * 1_000_000);
      }),
    );
  });

  it('given a cap, then jitter does not exceed it', () => {
    const policy: RetryPolicy = { delaysMs: [1_000], jitter: 'percent10', capMs: 1_000, permanentStatuses: [] };
    expect(backoffMs(policy, 1, () => 0.99)).toBe(1_000);
  });

  it('given any policy, then every wait is whole and within what tiers carry, and there are as many as it says', () => {
    fc.assert(
      fc.property(policies, random, (policy, fraction) => {
        const waits = schedule(policy, fraction);
        expect(waits.pop()).toBeUndefined();
        for (const wait of waits) {
          expect(Number.isInteger(wait)).toBe(true);
          expect(wait).toBeGreaterThanOrEqual(MIN_DELAY_MS);
          expect(wait).toBeLessThanOrEqual(MAX_DELAY_MS);
        }
      }),
    );
  });

  it('given attempt 0, then it throws', () => {
    expect(() => backoffMs(PRESETS.quick, 0, Math.random)).toThrow(RangeError);
  });
});

describe('attemptsAllowed', () => {
  it('given a replay, then at most three, and never more than the policy has', () => {
    fc.assert(
      fc.property(policies, fc.integer({ min: 1, max: 9 }), (policy, replay) => {
        expect(attemptsAllowed(policy, replay)).toBe(Math.min(REPLAY_ATTEMPTS, policy.delaysMs.length + 1));
      }),
    );
  });
});

describe('bounds of a wait', () => {
  it.each([
    [Number.NaN, MIN_DELAY_MS],
    [-5, MIN_DELAY_MS],
    [0, MIN_DELAY_MS],
    [1_234.4, 1_234],
    [Number.POSITIVE_INFINITY, MAX_DELAY_MS],
  ])('given %d ms, then it is %d', (delayMs, expected) => {
    expect(clampDelayMs(delayMs)).toBe(expected);
  });

  it.each([
    { given: 'no cap', capMs: undefined, askedMs: 100_000, expected: 64_000 },
    { given: 'a cap above the longest wait', capMs: 300_000, askedMs: 100_000, expected: 100_000 },
    { given: 'a cap that is exceeded', capMs: 300_000, askedMs: 400_000, expected: 300_000 },
    { given: 'less than any tier carries', capMs: undefined, askedMs: 0, expected: MIN_DELAY_MS },
  ])('given $given, then an endpoint that asks for $askedMs ms gets $expected', ({ capMs, askedMs, expected }) => {
    expect(cappedDelayMs({ ...PRESETS.quick, capMs }, askedMs)).toBe(expected);
  });
});
