import { needOf, needOfRowless } from './survey.js';
import type { TopicEntry } from './topic-entries.js';

const ENTRY: TopicEntry = {
  version: 3,
  isNumbered: true,
  isLive: true,
  isSigned: true,
  isShadowed: false,
};
const row = { id: 'k', version: 3 };

describe('needOf', () => {
  it.each([
    { given: 'the same version', entry: ENTRY, need: undefined },
    { given: 'no record', entry: undefined, need: 'publish' },
    { given: 'an older record', entry: { ...ENTRY, version: 2 }, need: 'publish' },
    { given: 'a tombstone', entry: { ...ENTRY, isLive: false }, need: 'publish' },
    { given: 'a bad record after it', entry: { ...ENTRY, isShadowed: true }, need: 'publish' },
    { given: 'a record of an earlier release', entry: { ...ENTRY, isNumbered: false }, need: 'publish' },
    { given: 'an unsigned record', entry: { ...ENTRY, isSigned: false }, need: 'publish' },
    { given: 'a newer record', entry: { ...ENTRY, version: 4 }, need: 'newer' },
    { given: 'a newer tombstone', entry: { ...ENTRY, version: 4, isLive: false }, need: 'newer' },
  ])('given $given, then $need', ({ entry, need }) => {
    expect(needOf(entry, row, true)).toBe(need);
  });

  it('given no signing key, then an unsigned record is as good as a signed one', () => {
    expect(needOf({ ...ENTRY, isSigned: false }, row, false)).toBeUndefined();
  });
});

describe('needOfRowless', () => {
  it.each([
    { given: 'a live record', entry: ENTRY, need: 'bury' },
    { given: 'a live record of an earlier release', entry: { ...ENTRY, isNumbered: false }, need: 'orphans' },
    { given: 'a tombstone', entry: { ...ENTRY, isLive: false }, need: undefined },
    { given: 'an unsigned tombstone', entry: { ...ENTRY, isLive: false, isSigned: false }, need: 'bury' },
    {
      given: 'an ignored record after a tombstone',
      entry: { ...ENTRY, isLive: false, isShadowed: true },
      need: 'bury',
    },
  ])('given $given without a row, then $need', ({ entry, need }) => {
    expect(needOfRowless(entry, true)).toBe(need);
  });
});
