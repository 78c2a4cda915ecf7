import fc from 'fast-check';
import {
  BREAKER_MODES,
  type Breaker,
  type BreakerEvent,
  type BreakerSettings,
  CLOSED,
  cooldownMs,
  stepBreaker,
} from './breaker.js';

const SETTINGS: BreakerSettings = { mode: 'automatic', threshold: 3, cooldownMs: 60_000, maxCooldownMs: 200_000 };
const T0 = 1_000_000;

const attempted = (outcome: 'delivered' | 'retry' | 'dead', at = T0): BreakerEvent => ({
  type: 'attempted',
  outcome,
  at,
});
const repeated = (outcome: 'delivered' | 'retry' | 'dead', at: number): BreakerEvent => ({
  ...{ type: 'attempted', outcome, at },
  isRepeat: true,
});
const steps = (events: readonly BreakerEvent[], settings = SETTINGS, from = CLOSED, now = T0): Breaker =>
  events.reduce((breaker, event) => stepBreaker(breaker, event, settings, now), from);

const opened = steps(['dead', 'dead', 'dead'].map(() => attempted('dead')));
const halfOpen = stepBreaker(opened, { type: 'ticked' }, SETTINGS, T0 + 60_000);

describe('stepBreaker', () => {
  it.each([
    { given: 'two dead', outcomes: ['dead', 'dead'], state: 'closed', consecutiveDead: 2 },
    { given: 'three dead', outcomes: ['dead', 'dead', 'dead'], state: 'open', consecutiveDead: 3 },
    { given: 'many failed attempts', outcomes: Array(50).fill('retry'), state: 'closed', consecutiveDead: 0 },
    {
      given: 'failed attempts between',
      outcomes: ['dead', 'retry', 'dead', 'retry', 'dead'],
      state: 'open',
      consecutiveDead: 3,
    },
    {
      given: 'one delivered between',
      outcomes: ['dead', 'dead', 'delivered', 'dead', 'dead'],
      state: 'closed',
      consecutiveDead: 2,
    },
    {
      given: 'late outcomes of what was in flight',
      outcomes: ['dead', 'dead', 'dead', 'delivered', 'dead'],
      state: 'open',
      consecutiveDead: 3,
    },
  ] as const)('given $given, then $state', ({ outcomes, state, consecutiveDead }) => {
    const breaker = steps(outcomes.map((outcome: 'delivered' | 'retry' | 'dead') => attempted(outcome)));
    expect(breaker).toMatchObject({ state, consecutiveDead });
  });

  it('given an open one, then it is half-open when the cool-down is over, and not before', () => {
    expect(opened).toMatchObject({ openedAt: T0, halfOpenAt: T0 + 60_000, openings: 1 });
    expect(stepBreaker(opened, { type: 'ticked' }, SETTINGS, T0 + 59_999)).toBe(opened);
    expect(halfOpen).toMatchObject({ state: 'half_open', halfOpenAt: T0 + 60_000 });
  });

  it('given a half-open one, then a success closes it and forgets', () => {
    expect(steps([attempted('delivered')], SETTINGS, halfOpen)).toEqual(CLOSED);
  });

  it.each(['retry', 'dead'] as const)(
    'given a half-open one, then an attempt that ends %s opens it longer',
    (outcome) => {
      const now = T0 + 61_000;
      const again = stepBreaker(halfOpen, attempted(outcome, now), SETTINGS, now);
      expect(again).toMatchObject({ state: 'open', openings: 2, openedAt: now, halfOpenAt: now + 120_000 });
    },
  );

  it('given a half-open one, then a failure that began while it was open tells nothing', () => {
    expect(stepBreaker(halfOpen, attempted('retry', T0 + 59_000), SETTINGS, T0 + 61_000)).toBe(halfOpen);
  });

  it.each([
    { given: 'a closed', from: steps([attempted('dead'), attempted('dead')]), at: T0, state: 'closed' },
    { given: 'an open', from: opened, at: T0 + 61_000, state: 'open' },
    { given: 'a younger half-open', from: halfOpen, at: T0 + 59_000, state: 'half_open' },
  ])('given $given breaker, then the outcome of a repeat tells it nothing', ({ from, at, state }) => {
    for (const outcome of ['delivered', 'retry', 'dead'] as const) {
      const after = stepBreaker(from, repeated(outcome, at), SETTINGS, T0 + 62_000);
      expect(after).toBe(from);
      expect(after.state).toBe(state);
    }
  });

  it.each([
    { outcome: 'delivered', state: 'closed' },
    { outcome: 'retry', state: 'open' },
    { outcome: 'dead', state: 'open' },
  ] as const)('given a half-open one whose probe is a repeat and ends $outcome, then $state', ({ outcome, state }) => {
    expect(stepBreaker(halfOpen, repeated(outcome, T0 + 60_000), SETTINGS, T0 + 61_000).state).toBe(state);
  });

  it('given failed probes, then the cool-down doubles up to its limit', () => {
    expect([1, 2, 3, 4, 50, 5_000].map((openings) => cooldownMs(openings, SETTINGS))).toEqual([
      60_000, 120_000, 200_000, 200_000, 200_000, 200_000,
    ]);
  });

  it('given the manual mode, then only an operator closes it', () => {
    const manual = { ...SETTINGS, mode: 'manual' as const };
    const open = steps(Array(3).fill(attempted('dead')), manual);
    expect(open.halfOpenAt).toBeUndefined();
    expect(stepBreaker(open, { type: 'ticked' }, manual, T0 + 1e12)).toBe(open);
    expect(stepBreaker(open, { type: 'resumed' }, manual, T0)).toEqual(CLOSED);
  });

  it('given another mode while it is open, then it waits for an operator, or for its cool-down, from now on', () => {
    const manual = { ...SETTINGS, mode: 'manual' as const };
    const waiting = stepBreaker(halfOpen, { type: 'configured' }, manual, T0 + 70_000);
    expect(waiting).toMatchObject({ state: 'open', halfOpenAt: undefined });
    const cooling = stepBreaker(waiting, { type: 'configured' }, SETTINGS, T0 + 80_000);
    expect(cooling).toMatchObject({ state: 'open', halfOpenAt: T0 + 60_000 });
    expect(stepBreaker(cooling, { type: 'ticked' }, SETTINGS, T0 + 80_000).state).toBe('half_open');
  });
});

describe('any history', () => {
  const settings = fc.record({
    mode: fc.constantFrom(...BREAKER_MODES),
    threshold: fc.integer({ min: 1, max: 5 }),
    cooldownMs: fc.integer({ min: 1, max: 100 }),
    maxCooldownMs: fc.integer({ min: 100, max: 1_000 }),
  });
  const history = fc.array(
    fc.record({
      afterMs: fc.nat(300),
      event: fc.oneof(
        { weight: 8, arbitrary: fc.constantFrom('delivered' as const, 'retry' as const, 'dead' as const) },
        { weight: 3, arbitrary: fc.constant('ticked' as const) },
        { weight: 1, arbitrary: fc.constantFrom('resumed' as const, 'configured' as const) },
      ),
    }),
    { maxLength: 60 },
  );
  interface Moment {
    readonly before: Breaker;
    readonly after: Breaker;
    readonly event: BreakerEvent;
    readonly now: number;
  }
  const run = (events: { afterMs: number; event: string }[], given: BreakerSettings): Moment[] => {
    const moments: Moment[] = [];
    let [before, now] = [CLOSED, T0];
    for (const { afterMs, event: name } of events) {
      now += afterMs;
      const event = (
        ['delivered', 'retry', 'dead'].includes(name) ? { type: 'attempted', outcome: name, at: now } : { type: name }
      ) as BreakerEvent;
      const after = stepBreaker(before, event, given, now);
      moments.push({ before, after, event, now });
      before = after;
    }
    return moments;
  };
  const last = (moments: Moment[]) => moments.at(-1)?.after ?? CLOSED;

  it('then it opens from closed exactly when a naive count of the dead in a row says so', () => {
    fc.assert(
      fc.property(history, settings, (events, given) => {
        let inARow = 0;
        for (const { before, after, event } of run(events, given)) {
          if (before.state !== 'closed') {
            inARow = 0;
            continue;
          }
          if (event.type === 'resumed' || (event.type === 'attempted' && event.outcome === 'delivered')) inARow = 0;
          if (event.type === 'attempted' && event.outcome === 'dead') inARow++;
          expect(after.state).toBe(inARow >= given.threshold ? 'open' : 'closed');
        }
      }),
    );
  });

  it('then its fields say no more than its state does', () => {
    fc.assert(
      fc.property(history, settings, (events, given) => {
        for (const { after, now } of run(events, given)) {
          expect(after.openings > 0).toBe(after.state !== 'closed');
          expect(after.openedAt === undefined).toBe(after.state === 'closed');
          if (after.state === 'half_open') expect(after.halfOpenAt).toBeLessThanOrEqual(now);
          if (after.state === 'open') {
            expect(after.halfOpenAt === undefined).toBe(given.mode === 'manual');
            const wait = (after.halfOpenAt ?? 0) - (after.openedAt ?? 0);
            expect(wait).toBeLessThanOrEqual(given.maxCooldownMs);
          }
        }
      }),
    );
  });

  it('then an endpoint that is well again is closed by time and one attempt, unless that is left to an operator', () => {
    fc.assert(
      fc.property(history, settings, (events, given) => {
        const before = last(run(events, given));
        const later = T0 + 1e9;
        const ticked = stepBreaker(before, { type: 'ticked' }, given, later);
        const after = stepBreaker(ticked, { type: 'attempted', outcome: 'delivered', at: later }, given, later);
        const mustWait = given.mode === 'manual' && before.state !== 'closed';
        expect(after.state).toBe(mustWait ? 'open' : 'closed');
        expect(stepBreaker(after, { type: 'resumed' }, given, later)).toEqual(CLOSED);
      }),
    );
  });
});
