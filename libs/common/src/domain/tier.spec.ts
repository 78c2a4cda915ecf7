import fc from 'fast-check';
import { EAGER_TIER, earlyMs, type Hop, hopFor, LONGEST_TIER_MS, TIERS, tiersOnTheWay } from './tier.js';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const WEEK_MS = 7 * 86_400_000;

/** Where a delivery goes when each tier lets it out on time, or `lateMs` late. */
function journey(delayMs: number, lateMs: () => number = () => 0): Hop[] {
  const hops = [hopFor(delayMs, NOW)];
  for (let hop = hops[0]; hop !== undefined && hop.tierUntil < hop.dueAt; hop = hops.at(-1)) {
    const nowMs = hop.tierUntil + lateMs();
    if (nowMs >= hop.dueAt) break;
    hops.push(hopFor(hop.dueAt - nowMs, nowMs));
    if (hops.length > 1_000) throw new Error('the delivery goes round in circles');
  }
  return hops;
}

const topics = (hops: readonly Hop[]) => hops.map(({ tier }) => tier.topic);

describe('the tiers', () => {
  it('are powers of four from 4 s to 65536 s', () => {
    expect(TIERS.map(({ delayMs }) => delayMs)).toEqual(Array.from({ length: 8 }, (_, index) => 4_000 * 4 ** index));
    expect(TIERS.map(({ topic, delayMs }) => topic === `retry-${delayMs / 1_000}s`)).not.toContain(false);
    expect(LONGEST_TIER_MS).toBe(65_536_000);
  });
});

describe('hopFor', () => {
  it.each([
    [4_000, ['retry-4s']],
    [16_000, ['retry-16s']],
    [64_000, ['retry-64s']],
    [256_000, ['retry-256s']],
    [65_536_000, ['retry-65536s']],
    [100, ['retry-4s']],
    [3_999, ['retry-4s']],
    [15_999, ['retry-4s']],
    [16_001, ['retry-16s', 'retry-4s']],
    [60_000, ['retry-16s', 'retry-16s', 'retry-16s', 'retry-4s']],
    [80_000, ['retry-64s', 'retry-16s']],
    [90_000, ['retry-64s', 'retry-16s', 'retry-4s']],
  ])('given %i ms, then the way is %j', (delayMs, way) => {
    expect(topics(journey(delayMs))).toEqual(way);
  });

  it('given a negative wait, then it is due now', () => {
    expect(hopFor(-5, NOW)).toEqual({ tier: EAGER_TIER, dueAt: NOW, tierUntil: NOW });
  });

  it('given any wait up to a week, then each hop ends in time and the last one exactly when it is due', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: WEEK_MS }), (delayMs) => {
        const hops = journey(delayMs);
        expect(hops.every(({ dueAt }) => dueAt === NOW + delayMs)).toBe(true);
        expect(hops.at(-1)?.tierUntil).toBe(NOW + delayMs);
        expect(hops.length).toBeLessThanOrEqual(9 + 3 * (TIERS.length - 2) + 1);
      }),
      { numRuns: 1_000 },
    );
  });

  it('given any wait, then an upper tier holds it for exactly its own delay, and only the eager one for less', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: WEEK_MS }), (delayMs) => {
        const { tier, dueAt, tierUntil } = hopFor(delayMs, NOW);
        const stayMs = tierUntil - NOW;
        if (tier === EAGER_TIER) expect([stayMs < 16_000, tierUntil === dueAt]).toEqual([true, true]);
        else expect(stayMs).toBe(tier.delayMs);
      }),
    );
  });

  it('given tiers that let go late, then it still arrives, never early, and no later than the last of them was late', () => {
    const lateness = fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(fc.integer({ min: 100, max: WEEK_MS }), lateness, (delayMs, late) => {
        let turn = 0;
        const hops = journey(delayMs, () => late[turn++ % late.length] ?? 0);
        const last = hops.at(-1);
        expect(hops.every(({ tierUntil, dueAt }) => tierUntil <= dueAt)).toBe(true);
        expect(last && last.dueAt - last.tierUntil).toBeLessThanOrEqual(Math.max(...late));
      }),
    );
  });

  it('given records that enter an upper tier one after the other, then they leave it in that order', () => {
    const arrivals = fc.array(fc.tuple(fc.integer({ min: 16_000, max: WEEK_MS }), fc.nat(5_000)), { minLength: 2 });
    fc.assert(
      fc.property(arrivals, (waits) => {
        let nowMs = NOW;
        const leaving = new Map<string, number>();
        for (const [delayMs, pauseMs] of waits) {
          nowMs += pauseMs;
          const { tier, tierUntil } = hopFor(delayMs, nowMs);
          expect(tierUntil).toBeGreaterThanOrEqual(leaving.get(tier.topic) ?? 0);
          leaving.set(tier.topic, tierUntil);
        }
      }),
    );
  });
});

describe('earlyMs', () => {
  it.each([
    { given: 'a return that is due', appendedAt: NOW, nowMs: NOW, held: 0 },
    { given: 'one that came late', appendedAt: NOW + 100, nowMs: NOW + 200, held: 0 },
    { given: 'one that both clocks call early', appendedAt: NOW - 300, nowMs: NOW - 200, held: 200 },
    { given: 'a clock of ours that is an hour behind', appendedAt: NOW + 5, nowMs: NOW - 3_600_000, held: 0 },
    { given: "a broker's clock that is an hour behind", appendedAt: NOW - 3_600_000, nowMs: NOW + 5, held: 0 },
  ])('given $given, then it is held for $held ms', ({ appendedAt, nowMs, held }) => {
    expect(earlyMs(NOW, { appendedAt, nowMs })).toBe(held);
  });
});

describe('tiersOnTheWay', () => {
  it.each([
    { waitMs: 0, passes: [['retry-4s', 0]] },
    { waitMs: 4_000, passes: [['retry-4s', 0]] },
    { waitMs: 16_000, passes: [['retry-16s', 0]] },
    {
      waitMs: 90_000,
      passes: [
        ['retry-64s', 0],
        ['retry-16s', 64_000],
        ['retry-4s', 80_000],
      ],
    },
  ])('given a wait of $waitMs ms, it passes $passes', ({ waitMs, passes }) => {
    expect(tiersOnTheWay(1_000, 1_000 + waitMs).map(({ topic, enteredAt }) => [topic, enteredAt - 1_000])).toEqual(
      passes,
    );
  });
});
