import { BUGS } from './testing/lane-bugs.js';
import { live, story } from './testing/lane-history.js';
import { emptyTally } from './testing/lane-referee.js';

/** POSTHORN_HISTORIES=100000 lives through as many; POSTHORN_SEED is the first seed. */
const HISTORIES = Number(process.env.POSTHORN_HISTORIES ?? 3_000);
const FIRST_SEED = Number(process.env.POSTHORN_SEED ?? 1);
/** Number of histories within which each planted flaw must be found. */
const ENOUGH = 5_000;

function firstFailing(count: number, fails: (seed: number) => boolean): number | undefined {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + count; seed++) if (fails(seed)) return seed;
  return undefined;
}

describe('the lane machine, in histories of a simulated dispatcher', () => {
  it(
    'given any faults, keeps order, loses nothing, repeats only what they explain, and comes to rest',
    () => {
      const total = emptyTally();
      const seed = firstFailing(HISTORIES, (candidate) => {
        const { referee } = live(candidate);
        for (const count of Object.keys(total) as (keyof typeof total)[]) total[count] += referee.tally[count];
        return referee.violations.length > 0;
      });

      // The message has the whole story: POSTHORN_SEED of a failing run repeats it.
      if (seed !== undefined) throw new Error(story(seed));
      if (HISTORIES < 1_000) return;
      // Histories in which nothing happens prove nothing.
      expect(total.sends).toBeGreaterThan(5 * HISTORIES);
      expect(total.repeats).toBeGreaterThan(HISTORIES);
      expect(total.handedOverAgain).toBeGreaterThan(HISTORIES / 20);
      expect(total.staleRecords).toBeGreaterThan(HISTORIES / 20);
      expect(total.zombieSends).toBeGreaterThan(HISTORIES / 50);
    },
    60_000 + HISTORIES * 20,
  );

  it('given a seed, tells the same history again', () => {
    expect(story(FIRST_SEED)).toBe(story(FIRST_SEED));
  });

  it.each(BUGS)('given a flaw planted on purpose, finds it: %s', (bug) => {
    const seed = firstFailing(ENOUGH, (candidate) => live(candidate, { bug }).referee.violations.length > 0);

    expect(seed).toBeDefined();
  });
});
