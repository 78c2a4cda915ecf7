import { z } from 'zod';
import { fieldErrors, line } from './validation.js';

const schema = z.strictObject({
  name: line(10),
  policy: z.union([z.strictObject({ preset: z.enum(['quick']) }), z.strictObject({ delays_s: z.array(z.number()) })]),
});

function errorsOf(value: unknown): unknown {
  const result = schema.safeParse(value);
  return result.success ? [] : fieldErrors(result.error.issues).map(({ field }) => field);
}

describe('fieldErrors', () => {
  it.each([
    { given: 'a missing field', value: { policy: { preset: 'quick' } }, expected: ['name'] },
    { given: 'unknown fields', value: { name: 'a', policy: { preset: 'quick' }, x: 1, y: 2 }, expected: ['x', 'y'] },
    { given: 'a wrong item', value: { name: 'a', policy: { delays_s: [1, 'x'] } }, expected: ['policy.delays_s.1'] },
    {
      given: 'an unknown field in a form',
      value: { name: 'a', policy: { preset: 'quick', z: 1 } },
      expected: ['policy.z'],
    },
    { given: 'a NUL', value: { name: 'a\0', policy: { preset: 'quick' } }, expected: ['name'] },
    { given: 'no object', value: 'x', expected: [''] },
  ])('given $given, then it is named', ({ value, expected }) => {
    expect(errorsOf(value)).toEqual(expected);
  });
});
