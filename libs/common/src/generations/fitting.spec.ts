import { describe, expect, it } from '@jest/globals';
import { positionOf } from '../domain/position.js';
import { CLOCK_SLACK_MS, fitsLog } from './fitting.js';

const STORED_AT = 1_000_000;
const evidence = (offset: number, partition = 0) => [{ partition, position: offset, atMs: STORED_AT }];

/** Record n of the log was appended at `appendedAt + n`. */
function logOf({ low = 0, high = 100, appendedAt = STORED_AT - 1_000 }) {
  const firstSince = async (ms: number) => new Map([[0, Math.min(high, Math.max(low, ms - appendedAt))]]);
  return { bounds: [{ partition: 0, low, high }], firstSince };
}

describe('fitsLog', () => {
  it.each([
    { given: 'no stored position', stored: [], log: logOf({ high: 0 }), fits: true },
    { given: 'a record of that time', stored: evidence(50), log: logOf({}), fits: true },
    { given: 'a position of a later generation', stored: evidence(positionOf(3, 50)), log: logOf({}), fits: true },
    { given: 'a record that retention took', stored: evidence(50), log: logOf({ low: 60 }), fits: true },
    { given: 'a log that ends before it', stored: evidence(100), log: logOf({}), fits: false },
    { given: 'an empty log', stored: evidence(0), log: logOf({ high: 0 }), fits: false },
    { given: 'a partition that does not exist', stored: evidence(1, 7), log: logOf({}), fits: false },
    {
      given: 'a record that is younger than what was stored',
      stored: evidence(50),
      log: logOf({ appendedAt: STORED_AT + CLOCK_SLACK_MS }),
      fits: false,
    },
  ])('given $given, then $fits', async ({ stored, log, fits }) => {
    expect(await fitsLog(stored, log.bounds, log.firstSince)).toBe(fits);
  });
});
