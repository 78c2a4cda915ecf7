import { jest } from '@jest/globals';
import { until } from '../../../../test/support/until.js';
import { Rounds } from './rounds.js';

const open: Rounds[] = [];
afterEach(() => {
  for (const rounds of open.splice(0)) rounds.stop();
});

function roundsOf(
  round: () => Promise<void>,
  changes: { share?: number; onError?: (error: unknown) => void } = {},
): Rounds {
  const rounds = new Rounds({ periodMs: 1, round, onError: () => undefined, ...changes });
  open.push(rounds);
  return rounds;
}

it('given that what it needs is not there, then no round begins', async () => {
  const ready = Promise.withResolvers<void>();
  let begun = 0;
  roundsOf(async () => {
    begun++;
  }).startAfter(ready.promise);
  let other = 0;
  roundsOf(async () => {
    other++;
  }).startAfter(Promise.resolve());
  await until('others went their rounds', () => other > 3);
  expect(begun).toBe(0);
  ready.resolve();
  await until('it goes its own', () => begun > 1);
});

it('given a round that fails, then it is told, and the next one comes', async () => {
  const errors: unknown[] = [];
  const fault = new Error('the database is away');
  roundsOf(() => Promise.reject(fault), { onError: (error) => errors.push(error) }).startAfter(Promise.resolve());
  await until('it failed twice', () => errors.length > 1);
  expect(errors[0]).toBe(fault);
});

it('given a slow round, then there is never a second beside it, and the pause is as long as its share asks', async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  roundsOf(
    async () => {
      begun.push(performance.now());
      await new Promise((resolve) => setTimeout(resolve, 20));
      ended.push(performance.now());
    },
    { share: 0.25 },
  ).startAfter(Promise.resolve());
  await until('there were two', () => begun.length === 2);
  expect((begun[1] ?? 0) - (ended[0] ?? 0)).toBeGreaterThanOrEqual(75);
});

it('given a round that took very long, then the next one is a minute away at most', async () => {
  jest.useFakeTimers();
  let begun = 0;
  const round = async () => {
    begun++;
    await new Promise((resolve) => setTimeout(resolve, 600_000));
  };
  roundsOf(round, { share: 0.02 }).startAfter(Promise.resolve());
  await jest.advanceTimersByTimeAsync(600_000 + 59_999);
  expect(begun).toBe(1);
  await jest.advanceTimersByTimeAsync(1);
  expect(begun).toBe(2);
  jest.useRealTimers();
});

it('given that it is stopped within a round, then the round knows, and there is no other', async () => {
  let begun = 0;
  const rounds = roundsOf(async () => {
    begun++;
    rounds.stop();
    expect(rounds.isStopping).toBe(true);
  });
  rounds.startAfter(Promise.resolve());
  let other = 0;
  roundsOf(async () => {
    other++;
  }).startAfter(Promise.resolve());
  await until('others went their rounds', () => other > 5);
  expect(begun).toBe(1);
});

it('given rounds a minute apart that fail, then the next one comes after 1 s, 2 s, and at most 15 s, until one succeeds', async () => {
  jest.useFakeTimers();
  let begun = 0;
  let isBroken = true;
  const rounds = new Rounds({
    periodMs: 60_000,
    round: async () => {
      begun++;
      if (isBroken) throw new Error('no rights');
    },
    onError: () => undefined,
  });
  open.push(rounds);
  rounds.startAfter(Promise.resolve());
  await jest.advanceTimersByTimeAsync(0);
  const after = async (ms: number) => {
    await jest.advanceTimersByTimeAsync(ms);
    return begun;
  };
  const seen = [begun, await after(1_000), await after(2_000), await after(4_000), await after(8_000)];
  expect(seen).toEqual([1, 2, 3, 4, 5]);
  expect([await after(14_000), await after(1_000)]).toEqual([5, 6]);
  isBroken = false;
  expect([await after(15_000), await after(59_000), await after(1_000)]).toEqual([7, 7, 8]);
  jest.useRealTimers();
});
