import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { endRefusal, type StallSample, StallWatch } from './stall-watch.js';

const STALL_MS = 30_000;
const LOOK_MS = 5_000;

const behind: StallSample = {
  name: 'ingest/3',
  stable: 10,
  commit: 4,
  position: 4,
  unfinished: 0,
  isPaused: false,
};
const working: Partial<StallSample> = { position: 10, unfinished: 6 };
const paused: Partial<StallSample> = { position: 7, unfinished: 3, isPaused: true };

/** Looks every 5 s. @returns the alarms of each look */
function watch(samples: readonly (readonly StallSample[])[]) {
  const stalls = new StallWatch({ stallMs: STALL_MS, longestGapMs: 3 * LOOK_MS });
  return samples.map((list, index) => stalls.look(index * LOOK_MS, list));
}

const forLooks = (count: number, change: Partial<StallSample> = {}) =>
  Array.from({ length: count }, () => [{ ...behind, ...change }]);

describe('StallWatch', () => {
  it('given a partition that stands still, then it is stalled after the limit, and long after twice the limit', () => {
    const looks = watch(forLooks(14)).map(([stall]) => stall);

    expect(looks.findIndex((stall) => stall?.isNew)).toBe(STALL_MS / LOOK_MS);
    expect(looks.findIndex((stall) => stall?.isLong)).toBe((2 * STALL_MS) / LOOK_MS);
    expect(looks.filter((stall) => stall?.isNew)).toHaveLength(1);
    expect(looks.at(-1)).toMatchObject({ name: 'ingest/3', kind: 'not read' });
  });

  it.each<[string, Partial<StallSample>, string | undefined]>([
    ['nothing to do', { commit: 10 }, undefined],
    ['all read and finished, control records at the end', { position: 10 }, undefined],
    ['records that are not read', {}, 'not read'],
    ['records that are not finished', working, 'not finished'],
    [
      'records that are not read, and unfinished ones the app waits for',
      { ...paused, isPaused: false, hold: 'due' },
      'not read',
    ],
    ['unfinished records that the app waits for', { ...working, hold: 'PostgreSQL' }, undefined],
    ['a pause without a reason', paused, 'not finished'],
    ['a pause with a reason', { ...paused, hold: 'attempts under way' }, undefined],
    ['a pause before the first record, with a reason', { isPaused: true, hold: 'PostgreSQL' }, undefined],
    ['no leader', { outage: 'no leader' }, undefined],
    ['unfinished records during a rebalance', { ...working, outage: 'rebalance' }, undefined],
    ['a missing topic', { isMissing: true, commit: 10 }, 'missing'],
    ['a missing topic during an outage', { isMissing: true, outage: 'rebalance' }, undefined],
  ])('given %s, then it is judged by that', (_case, change, kind) => {
    expect(watch(forLooks(10, change)).at(-1)?.[0]?.kind).toBe(kind);
  });

  it.each<[string, Partial<StallSample>]>([
    ['a commit', { commit: 5 }],
    ['a position', { position: 5 }],
    ['a finished record', { unfinished: 1 }],
  ])('given %s that moves, then the time begins again', (_case, change) => {
    const looks = watch([...forLooks(6), ...forLooks(6, change), ...forLooks(1, change)]);

    expect(looks.slice(0, 12).flat()).toEqual([]);
    expect(looks[12]?.[0]?.stalledMs).toBe(STALL_MS);
  });

  it('given a reason in the middle, then the time begins again', () => {
    const looks = watch([
      ...forLooks(6, working),
      ...forLooks(1, { ...working, hold: 'due' }),
      ...forLooks(5, working),
    ]);

    expect(looks.flat()).toEqual([]);
  });

  it('given a process that was suspended, then that time does not count', () => {
    const stalls = new StallWatch({ stallMs: STALL_MS, longestGapMs: 3 * LOOK_MS });
    stalls.look(0, [behind]);

    expect(stalls.look(3_600_000, [behind])).toEqual([]);
  });

  it('given one failed look, then its time does not count; given two in a row, then the time begins again', () => {
    const stalls = new StallWatch({ stallMs: STALL_MS, longestGapMs: 3 * LOOK_MS });
    for (let at = 0; at < STALL_MS; at += LOOK_MS) stalls.look(at, [behind]);
    stalls.lookFailed(STALL_MS);
    expect(stalls.look(STALL_MS + LOOK_MS, [behind])).toHaveLength(1);

    stalls.lookFailed(STALL_MS + 2 * LOOK_MS);
    stalls.lookFailed(STALL_MS + 3 * LOOK_MS);
    expect(stalls.look(STALL_MS + 4 * LOOK_MS, [behind])).toEqual([]);
  });

  it('given a partition that is lost and owned again, then the time begins again', () => {
    expect(watch([...forLooks(6), [], ...forLooks(6)]).flat()).toEqual([]);
  });

  it('given any history, then a partition is stalled exactly when it stood still without a reason for the limit', () => {
    const sample = fc.record({
      commit: fc.integer({ min: 0, max: 2 }),
      position: fc.integer({ min: 0, max: 2 }),
      unfinished: fc.integer({ min: 0, max: 1 }),
      isPaused: fc.boolean(),
      hold: fc.option(fc.constant('due'), { nil: undefined }),
      stable: fc.integer({ min: 0, max: 3 }),
    });
    const history = fc.array(fc.tuple(sample, fc.integer({ min: 1, max: 8 })), { maxLength: 12 });
    fc.assert(
      fc.property(history, (parts) => {
        const samples = parts.flatMap(([part, looks]) => forLooks(looks, part));
        const alarms = watch(samples).map((stalls) => stalls.length > 0);
        expect(alarms).toEqual(samples.map((_, index) => hasStoodStill(samples.slice(0, index + 1).flat())));
      }),
    );
  });
});

/** The rule of the alarm, written down again over the whole history. */
function hasStoodStill(history: readonly StallSample[]): boolean {
  const recent = history.slice(-(STALL_MS / LOOK_MS + 1));
  if (recent.length <= STALL_MS / LOOK_MS) return false;
  return recent.slice(1).every((now, index) => {
    const before = recent[index];
    const isBehind = now.commit < now.stable && (now.position < now.stable || now.unfinished > 0);
    const isUnread = now.position < now.stable && !now.isPaused;
    const isExplained = now.hold !== undefined && !isUnread;
    const isStill =
      before?.commit === now.commit && before.position === now.position && before.unfinished === now.unfinished;
    return isBehind && isStill && !isExplained;
  });
}

describe('endRefusal', () => {
  const now = { at: 1_000_000, commit: 4, stable: 10 };

  it.each([
    ['no end before', undefined, undefined],
    ['an end nine minutes ago', { at: 460_000, commit: 1, stable: 2 }, 'a process has ended for it within ten minutes'],
    ['an end in the near future, by a clock that was set back', { ...now, at: 1_100_000 }, /within ten minutes/],
    ['an end eleven minutes ago at another commit', { at: 340_000, commit: 3, stable: 10 }, undefined],
    ['an end eleven minutes ago, and new records since', { at: 340_000, commit: 4, stable: 9 }, undefined],
    ['an end eleven minutes ago that changed nothing', { ...now, at: 340_000 }, 'a restart has changed nothing'],
  ])('given %s, then that decides', (_case, last, refusal) => {
    if (refusal === undefined) expect(endRefusal(last, now)).toBeUndefined();
    else expect(endRefusal(last, now)).toMatch(refusal);
  });
});
