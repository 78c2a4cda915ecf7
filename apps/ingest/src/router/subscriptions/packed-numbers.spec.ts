import fc from 'fast-check';
import { packNumbers, unpackNumbers } from './packed-numbers.js';

describe('packNumbers', () => {
  it('given any numbers below 2^32, then they come back', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2 ** 32 - 1)), (numbers) => {
        expect(unpackNumbers(packNumbers(numbers))).toEqual(numbers);
      }),
    );
  });
});
