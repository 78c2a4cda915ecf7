import type { Arrival } from './receiver.ts';
import { percentile, Tally } from './tally.ts';

const arrival = (change: Partial<Arrival>): Arrival => ({
  endpoint: 'a',
  eventId: 'e1',
  resourceId: 'r',
  sequence: 1,
  attempt: 1,
  at: 1_010,
  status: 204,
  ...change,
});

function scoreOf(...arrivals: Partial<Arrival>[]) {
  const tally = new Tally(['a']);
  for (const id of ['e1', 'e2']) tally.publish(id, 1_000);
  for (const change of arrivals) tally.arrive(arrival(change));
  return tally.score('a');
}

describe('Tally', () => {
  it('given one delivery, then the tally has one, with its latency', () => {
    expect(scoreOf({})).toEqual({ delivered: 1, duplicates: 0, retried: 0, disorder: 0, latenciesMs: [10] });
  });

  it('given a failure and a retry, then it is retried and no duplicate', () => {
    const score = scoreOf({ status: 500 }, { attempt: 2, at: 1_500 });
    expect(score).toMatchObject({ delivered: 1, duplicates: 0, retried: 1, latenciesMs: [500] });
  });

  it.each([
    { given: 'the same attempt twice', second: {} },
    { given: 'an attempt after a 2xx', second: { attempt: 2 } },
  ])('given $given, then it is a duplicate and delivered once', ({ second }) => {
    expect(scoreOf({}, second)).toMatchObject({ delivered: 1, duplicates: 1 });
  });

  it('given a failed attempt twice, then it is a duplicate', () => {
    expect(scoreOf({ status: 500 }, { status: 500 })).toMatchObject({ delivered: 0, duplicates: 1 });
  });

  it.each([
    { given: 'one resource', resourceId: 'r', disorder: 1 },
    { given: 'two resources', resourceId: 'other', disorder: 0 },
    { given: 'no resource', resourceId: null, disorder: 0 },
  ])('given a later event first, of $given, then disorder is $disorder', ({ resourceId, disorder }) => {
    expect(scoreOf({ eventId: 'e2', sequence: 2 }, { resourceId, sequence: 1 })).toMatchObject({ disorder });
  });

  it("given another demo's event, then it does not count", () => {
    expect(scoreOf({ eventId: 'stranger' })).toMatchObject({ delivered: 0, duplicates: 0 });
  });
});

describe('percentile', () => {
  it.each([
    { values: [], share: 0.5, value: undefined },
    { values: [7], share: 0.99, value: 7 },
    { values: [1, 2, 3, 4], share: 0.5, value: 2 },
    { values: [1, 2, 3, 4], share: 0.99, value: 4 },
  ])('given $values, then the value at $share is $value', ({ values, share, value }) => {
    expect(percentile(values, share)).toBe(value);
  });
});
