import { z } from 'zod';
import { fieldErrors, wording } from './field-errors.js';

const schema = z.strictObject({
  name: z.string().min(1).max(10),
  policy: z.union([
    z.strictObject({ preset: z.enum(['quick', 'slow']) }),
    z.strictObject({ delays: z.array(z.number()) }),
  ]),
  headers: z.record(z.string().regex(/^[a-z]+$/, { error: 'must be a name' }), z.string()).optional(),
  at: z.iso.datetime().optional(),
  count: z.int().min(2).max(5).optional(),
  kinds: z.array(z.literal('a')).min(1).optional(),
  on: z.boolean().optional(),
});

function errorsOf(value: unknown): Record<string, string> {
  const result = schema.safeParse(value, { error: wording });
  const errors = result.success ? [] : fieldErrors(result.error.issues);
  return Object.fromEntries(errors.map(({ field, message }) => [field, message]));
}

describe('fieldErrors', () => {
  const right = { name: 'a', policy: { preset: 'quick' } };

  it.each([
    { given: 'nothing wrong', value: right, expected: {} },
    { given: 'nothing', value: {}, expected: { name: 'is required', policy: 'is required' } },
    { given: 'another type', value: { ...right, name: 7 }, expected: { name: 'must be a string' } },
    { given: 'no text', value: { ...right, name: '' }, expected: { name: 'must have at least 1 character' } },
    {
      given: 'a long text',
      value: { ...right, name: 'a'.repeat(11) },
      expected: { name: 'must have at most 10 characters' },
    },
    { given: 'a small number', value: { ...right, count: 1 }, expected: { count: 'must be at least 2' } },
    { given: 'a large number', value: { ...right, count: 6 }, expected: { count: 'must be at most 5' } },
    { given: 'a fraction', value: { ...right, count: 2.5 }, expected: { count: 'must be a whole number' } },
    { given: 'no boolean', value: { ...right, on: 'yes' }, expected: { on: 'must be true or false' } },
    { given: 'no list', value: { ...right, kinds: 'a' }, expected: { kinds: 'must be a list' } },
    { given: 'an empty list', value: { ...right, kinds: [] }, expected: { kinds: 'must have at least 1 item' } },
    { given: 'a wrong item', value: { ...right, kinds: ['a', 'b'] }, expected: { 'kinds[1]': 'must be a' } },
    { given: 'no time', value: { ...right, at: 'noon' }, expected: { at: expect.stringContaining('RFC 3339') } },
    { given: 'a bad key', value: { ...right, headers: { A1: 'x' } }, expected: { 'headers.A1': 'must be a name' } },
    {
      given: 'unknown fields',
      value: { ...right, x: 1, y: 2 },
      expected: { x: 'is not known here', y: 'is not known here' },
    },
    { given: 'no form at all', value: { ...right, policy: 1 }, expected: { policy: 'must be an object' } },
    {
      given: 'a wrong choice',
      value: { ...right, policy: { preset: 'x' } },
      expected: { 'policy.preset': 'must be one of quick, slow' },
    },
    {
      given: 'a wrong item of a form',
      value: { ...right, policy: { delays: [1, 'x'] } },
      expected: { 'policy.delays[1]': 'must be a number' },
    },
    {
      given: 'an unknown field of a form',
      value: { ...right, policy: { preset: 'quick', z: 1 } },
      expected: { 'policy.z': 'is not known here' },
    },
    { given: 'no object', value: 'x', expected: { body: 'must be an object' } },
  ])('given $given, then each field is named, and what would be right', ({ value, expected }) => {
    expect(errorsOf(value)).toEqual(expected);
  });
});
