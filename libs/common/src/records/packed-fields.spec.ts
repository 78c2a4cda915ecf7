import fc from 'fast-check';
import { wholeNumber } from './packed-fields.js';

describe('wholeNumber', () => {
  it('given any whole number of up to 15 digits, then it comes back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999_999_999_999_999 }), (number) => {
        expect(wholeNumber(String(number))).toBe(number);
      }),
    );
  });

  it.each([undefined, '', '1000000000000000', '-1', '1.5', '1e3', ' 1', '0x1', '٣'])(
    'given "%s", then it is refused',
    (text) => {
      expect(wholeNumber(text)).toBeUndefined();
    },
  );
});
