import type { Counter } from 'prom-client';
import { projectedAttempts, projectedDeadLetters, rejectedRecords } from './metrics.js';

describe('counters of what alerts look at', () => {
  it.each<[string, Counter, number]>([
    ['attempts by outcome', projectedAttempts, 3],
    ['dead letters by reason', projectedDeadLetters, 5],
    ['rejected records by topic', rejectedRecords, 2],
  ])('given nothing happened yet, then %s are 0, not missing', async (_what, counter, series) => {
    expect((await counter.get()).values.map(({ value }) => value)).toEqual(Array.from({ length: series }, () => 0));
  });
});
