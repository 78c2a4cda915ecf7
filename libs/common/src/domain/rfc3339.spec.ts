import fc from 'fast-check';
import { parseRfc3339 } from './rfc3339.js';

describe('parseRfc3339', () => {
  it.each([
    ['1970-01-01T00:00:00Z', 0],
    ['1985-04-12T23:20:50.52Z', Date.UTC(1985, 3, 12, 23, 20, 50, 520)],
    ['1996-12-19T16:39:57-08:00', Date.UTC(1996, 11, 20, 0, 39, 57)],
    ['1990-12-31T23:59:60Z', Date.UTC(1990, 11, 31, 23, 59, 59)],
    ['2024-02-29t12:00:00z', Date.UTC(2024, 1, 29, 12)],
    ['2026-01-01T00:00:00.123456789+05:30', Date.UTC(2025, 11, 31, 18, 30, 0, 123)],
    ['2099-12-31T23:59:59+23:59', Date.UTC(2099, 11, 31, 0, 0, 59)],
    ['0000-01-01T00:00:00Z', -62167219200000],
  ])('given %s, then it is that instant', (text, instant) => {
    expect(parseRfc3339(text)).toBe(instant);
  });

  it.each([
    '',
    '2026-01-01',
    '2026-01-01 00:00:00Z',
    '2026-01-01T00:00Z',
    '2026-01-01T00:00:00',
    '2026-1-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-01-32T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:60:00Z',
    '2026-01-01T00:00:61Z',
    '2026-01-01T00:00:00+24:00',
    '2026-01-01T00:00:00+0100',
    '2026-01-01T00:00:00.Z',
    '-2026-01-01T00:00:00Z',
    '2026-01-01T00:00:00Z\n',
    '1767225600',
  ])('given "%s", then it is none', (text) => {
    expect(parseRfc3339(text)).toBeUndefined();
  });

  it('given any instant that JavaScript writes, then it is read back', () => {
    const years = { min: new Date('0000-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59.999Z') };
    fc.assert(
      fc.property(fc.date({ ...years, noInvalidDate: true }), (date) => {
        expect(parseRfc3339(date.toISOString())).toBe(date.getTime());
      }),
    );
  });
});
