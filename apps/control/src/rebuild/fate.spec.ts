import { describe, expect, it } from '@jest/globals';
import { type Candidate, fateOf } from './fate.js';

const NOW = 1_700_000_000_000;
const ORDERED = 'ep_1:invoice-7';
const UNORDERED = 'dlv_abc';

const candidate = (given: Partial<Candidate>): Candidate => ({
  lane: ORDERED,
  place: 100,
  replay: 0,
  known: undefined,
  row: undefined,
  ...given,
});
const known = (status: 'pending' | 'retrying' | 'dead' | 'delivered', replay = 0, nextAttemptAt?: number) => ({
  status,
  replay,
  attempts: 2,
  nextAttemptAt,
});

describe('fateOf', () => {
  it.each<{ given: string; when: Partial<Candidate>; fate: string }>([
    { given: 'no outcome', when: {}, fate: 'send' },
    { given: 'an earlier life that ended', when: { replay: 1, known: known('dead', 0) }, fate: 'send' },
    { given: 'a life that began and was not attempted', when: { replay: 1, known: known('pending', 1) }, fate: 'send' },
    { given: 'a delivery', when: { known: known('delivered') }, fate: 'over' },
    { given: 'a dead letter', when: { known: known('dead') }, fate: 'over' },
    { given: 'a later life', when: { known: known('pending', 1) }, fate: 'over' },
    { given: 'a retry of a lane without a row', when: { known: known('retrying') }, fate: 'head' },
    {
      given: 'a retry above what its lane calls over',
      when: { known: known('retrying'), row: { place: 99, attempt: undefined } },
      fate: 'head',
    },
    {
      given: 'a retry that is the head',
      when: { known: known('retrying'), row: { place: 100, attempt: 2 } },
      fate: 'waits',
    },
    {
      given: 'a retry that is the head with fewer attempts',
      when: { known: known('retrying'), row: { place: 100, attempt: 1 } },
      fate: 'head',
    },
    {
      given: 'a retry below what its lane calls over',
      when: { known: known('retrying'), row: { place: 101, attempt: undefined } },
      fate: 'next-life',
    },
    {
      given: 'a retry behind another head',
      when: { known: known('retrying'), row: { place: 99, attempt: 1 } },
      fate: 'next-life',
    },
    {
      given: 'an unordered retry that is due later',
      when: { lane: UNORDERED, known: known('retrying', 0, NOW + 5_000) },
      fate: 'waits',
    },
    {
      given: 'an unordered retry that is a second late',
      when: { lane: UNORDERED, known: known('retrying', 0, NOW - 1_000) },
      fate: 'waits',
    },
    {
      given: 'an unordered retry that is two minutes late',
      when: { lane: UNORDERED, known: known('retrying', 0, NOW - 120_000) },
      fate: 'next-life',
    },
  ])('given $given, then $fate', ({ when, fate }) => {
    expect(fateOf(candidate(when), NOW)).toBe(fate);
  });
});
