import fc from 'fast-check';
import { MAX_DELAY_MS, MIN_DELAY_MS } from '#common/domain/retry-policy.js';
import { EAGER_TIER, hopFor, TIERS } from '#common/domain/tier.js';
import { boundedDueAt, tierStep, type Wait } from './wheel.js';

const T0 = 1_800_000_000_000;
const [, TIER_16S, TIER_64S] = TIERS;
const YEAR_2099 = Date.UTC(2099, 0, 1);

const wait = (fields: Partial<Wait>): Wait => ({
  tier: EAGER_TIER,
  dueAt: T0 + 4_000,
  tierUntil: undefined,
  readAt: T0,
  ...fields,
});

describe('tierStep', () => {
  it.each([
    { given: 'a due delivery', fields: { dueAt: T0 }, expected: { kind: 'return' } },
    { given: 'a delivery due long ago', fields: { dueAt: 0 }, expected: { kind: 'return' } },
    { given: '1 ms to go', fields: { dueAt: T0 + 1 }, expected: { kind: 'hold', until: T0 + 1 } },
    {
      given: 'a full wait of 16 s',
      fields: { tier: TIER_16S, dueAt: T0 + 16_000, tierUntil: T0 + 16_000 },
      expected: { kind: 'hold', until: T0 + 16_000 },
    },
    {
      given: 'the rest of a 16 s tier',
      fields: { tier: TIER_16S, dueAt: T0 + 3_500, tierUntil: T0, readAt: T0 - 16_000 },
      expected: { kind: 'move', hop: { tier: EAGER_TIER, dueAt: T0 + 3_500, tierUntil: T0 + 3_500 } },
    },
    {
      given: '20 s left after a 64 s tier',
      fields: { tier: TIER_64S, dueAt: T0 + 20_000, tierUntil: T0 },
      expected: { kind: 'move', hop: { tier: TIER_16S, dueAt: T0 + 20_000, tierUntil: T0 + 16_000 } },
    },
    {
      given: 'a wait that is too long for the eager tier',
      fields: { dueAt: T0 + 16_000, tierUntil: T0 + 16_000 },
      expected: { kind: 'move', hop: { tier: TIER_16S, dueAt: T0 + 16_000, tierUntil: T0 + 16_000 } },
    },
    {
      given: 'an invalid end of its tier',
      fields: { tier: TIER_16S, dueAt: YEAR_2099, tierUntil: YEAR_2099 },
      expected: { kind: 'hold', until: T0 + 16_000 },
    },
    {
      given: 'no time to leave its tier',
      fields: { tier: TIER_16S, dueAt: T0 + 17_000 },
      expected: { kind: 'hold', until: T0 + 16_000 },
    },
  ])('given $given, then it is a $expected.kind', ({ fields, expected }) => {
    expect(tierStep(wait(fields), T0)).toEqual(expected);
  });

  it('given any wait, then a delivery returns if and only if it is due', () => {
    const anything = fc.record({
      tier: fc.constantFrom(...TIERS),
      dueAt: fc.integer({ min: 0, max: 2 * T0 }),
      tierUntil: fc.option(fc.integer({ min: 0, max: 2 * T0 }), { nil: undefined }),
      readAt: fc.integer({ min: 0, max: 2 * T0 }),
    });
    fc.assert(
      fc.property(anything, fc.integer({ min: 0, max: 2 * T0 }), (given, nowMs) => {
        const step = tierStep(given, nowMs);
        expect(step.kind === 'return').toBe(given.dueAt <= nowMs);
        if (step.kind === 'hold') expect(step.until).toBeGreaterThan(nowMs);
        if (step.kind === 'hold') expect(step.until).toBeLessThanOrEqual(given.dueAt);
        if (step.kind === 'move') expect(step.hop.dueAt).toBe(given.dueAt);
      }),
    );
  });

  it('given a wait of any length, when every hop is on time, then the wait ends exactly at the due time', () => {
    fc.assert(
      fc.property(fc.integer({ min: MIN_DELAY_MS, max: MAX_DELAY_MS }), (delayMs) => {
        const dueAt = T0 + delayMs;
        let hop = hopFor(delayMs, T0);
        let nowMs = T0;
        for (let hops = 1; ; hops++) {
          expect(hops).toBeLessThanOrEqual(9 + 3 * (TIERS.length - 1) + 1);
          const given = { ...hop, readAt: nowMs };
          const held = tierStep(given, nowMs);
          if (held.kind === 'hold') nowMs = held.until;
          const step = tierStep(given, nowMs);
          if (step.kind === 'return') break;
          if (step.kind !== 'move') throw new Error('held twice');
          hop = step.hop;
        }
        expect(nowMs).toBe(dueAt);
      }),
    );
  });
});

describe('boundedDueAt', () => {
  it('given a policy’s longest wait, then the due time stays', () => {
    const { tier, dueAt } = hopFor(MAX_DELAY_MS, T0);
    expect(boundedDueAt(dueAt, T0, tier)).toBe(T0 + MAX_DELAY_MS);
  });

  it('given any wait and clocks less than a minute apart, then the due time stays', () => {
    const ms = fc.integer({ min: MIN_DELAY_MS, max: MAX_DELAY_MS });
    fc.assert(
      fc.property(ms, fc.integer({ min: -60_000, max: 60_000 }), (delayMs, aheadMs) => {
        const { tier, dueAt } = hopFor(delayMs, T0 + aheadMs);
        expect(boundedDueAt(dueAt, T0, tier)).toBe(dueAt);
      }),
    );
  });

  it('given a clock that was an hour ahead when the wait began, then the wait grows by less than a tier’s delay', () => {
    const { tier, dueAt } = hopFor(4_000, T0 + 3_600_000);
    expect(boundedDueAt(dueAt, T0, tier)).toBe(T0 + TIER_16S.delayMs);
  });

  it('given a due time in 2099, then the due time is within minutes of the longest wait', () => {
    const bounded = boundedDueAt(YEAR_2099, T0, TIERS[TIERS.length - 1] ?? EAGER_TIER);
    expect(bounded - T0).toBeGreaterThanOrEqual(MAX_DELAY_MS);
    expect(bounded - T0).toBeLessThan(MAX_DELAY_MS + 5 * 60_000);
  });
});
