import { describe, expect, it } from '@jest/globals';
import { FLAWS } from './flaws.js';
import { FAULTS, type Shape } from './shape.js';
import { type Lived, simulate, tell } from './simulate.js';

/** So many histories, or so much time; `npm run simulate:faults` takes as long as asked. */
const SECONDS = 25;
const FIXED_HISTORIES = 50;
const FEW_HISTORIES = 10;
/** Within so many histories each planted flaw must be found. */
const ENOUGH = 300;
const NO_LIMIT = Number.POSITIVE_INFINITY;
/** A change must not fail by somebody else's bad luck: new seeds are `npm run simulate:faults`'s affair. */
const FIRST_SEED = 2_000;

const say = (line: string) => process.stderr.write(`${line}\n`);
const silent = () => undefined;

/** The story is in the message, with the command that tells it again. */
async function expectNothingBroke({ failed }: Lived, shape?: Partial<Shape>): Promise<void> {
  if (failed === undefined) return;
  const again = shape ? [] : [`npm run simulate:faults -- --seed ${failed.seed} --histories 1`];
  throw new Error([await tell(failed.seed, shape && { shape }), ...failed.violations, ...again].join('\n'));
}

/** A few histories with something of their own. */
async function expectNothingBreaksIn(shape: Partial<Shape>): Promise<void> {
  const lived = await simulate({ seed: 1, seconds: NO_LIMIT, histories: FEW_HISTORIES, say: silent, flaw: { shape } });
  await expectNothingBroke(lived, shape);
}

describe('the whole system, in virtual time', () => {
  it('given fixed seeds, keeps every promise', async () => {
    await expectNothingBroke(await simulate({ seed: 1, seconds: NO_LIMIT, histories: FIXED_HISTORIES, say: silent }));
  }, 120_000);

  it.each([
    // A join that ended while a dispatcher stopped let it begin attempts that its end then cut off.
    36_062_915,
    // A dispatcher that drained did not hear that it had been put out of its group.
    6_775,
    // Repeats of dead deliveries used up the probes of a half-open breaker, 45 s each, and sent nothing.
    971_525_320,
    // The epoch was raised late, when another dispatcher had the log already, and fenced that one.
    570_688_468,
  ])('given seed %i, which broke one once, keeps every promise', async (seed) => {
    await expectNothingBroke(await simulate({ seed, seconds: NO_LIMIT, histories: 1, say: silent }));
  });

  it('given a minute’s worth of seeds, keeps every promise', async () => {
    const seed = Number(process.env.POSTHORN_SEED ?? FIRST_SEED);
    say(`virtual time: first seed ${seed}`);
    const lived = await simulate({ seed, seconds: SECONDS, histories: NO_LIMIT, say });
    await expectNothingBroke(lived);

    // Histories in which nothing happens prove nothing.
    expect(lived.tally.attempts).toBeGreaterThan(10 * lived.histories);
    expect(lived.tally.retries).toBeGreaterThan(lived.histories);
    expect(lived.tally.parked).toBeGreaterThan(lived.histories);
    for (const count of ['repeats', 'staleAttempts', 'openings', 'probes'] as const) {
      expect(lived.tally[count]).toBeGreaterThan(lived.histories / 50);
    }
  }, 120_000);

  it.each(FAULTS)(
    'given one kind of fault, keeps every promise: %s',
    async (fault) => {
      await expectNothingBreaksIn({
        faults: Array.from({ length: 8 }, (_, index) => ({ fault, atMs: 1_000 + index * 1_500 })),
      });
    },
    60_000,
  );

  it.each(Object.entries(FLAWS).filter(([, { shape }]) => shape))(
    'given the faults that show this flaw, and not the flaw, keeps every promise: %s',
    (_, { shape = {} }) => expectNothingBreaksIn(shape),
    60_000,
  );

  it('given a seed, tells the same history again', async () => {
    expect(await tell(7)).toBe(await tell(7));
  });

  it.each(Object.entries(FLAWS))(
    'given a flaw planted on purpose, finds it: %s',
    async (_, flaw) => {
      const { failed } = await simulate({ seed: 1, seconds: NO_LIMIT, histories: ENOUGH, say: silent, flaw });

      expect(failed).toBeDefined();
    },
    120_000,
  );
});
