import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import type { OwnedPartition } from '../../partition/owned-partition.js';
import type { KafkaGroup } from '../patches/group-hooks.js';
import { FetchPace } from './fetch-pace.js';

const PACE_MS = 10;
const RECORDS_PER_PACE = 100;

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

it.each([
  { given: 'nothing unfinished', unfinished: 0, options: { recordsPerPace: RECORDS_PER_PACE }, paces: 1 },
  { given: 'three paces of records', unfinished: 300, options: { recordsPerPace: RECORDS_PER_PACE }, paces: 3 },
  { given: 'more than that', unfinished: 100_000, options: { recordsPerPace: RECORDS_PER_PACE }, paces: 5 },
  { given: 'a reader that did not ask for it', unfinished: 100_000, options: {}, paces: 1 },
])('given $given, then a fetch waits for $paces of its paces', async ({ unfinished, options, paces }) => {
  const pace = new FetchPace({ paceMs: PACE_MS, ...options });
  const log = { unfinished, paused: false } as OwnedPartition;
  let isDue = false;
  pace.after();
  void pace.before({} as KafkaGroup, new Map([['deliveries/0', log]])).then(() => {
    isDue = true;
  });

  await jest.advanceTimersByTimeAsync(paces * PACE_MS - 1);
  expect(isDue).toBe(false);
  await jest.advanceTimersByTimeAsync(2);
  expect(isDue).toBe(true);
});
