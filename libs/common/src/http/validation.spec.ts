import type { ArgumentMetadata } from '@nestjs/common';
import { z } from 'zod';
import { line, SchemaPipe } from './validation.js';

const schema = z.strictObject({ name: line(10) });

function parse(value: unknown, over: Partial<ArgumentMetadata> = {}): unknown {
  try {
    return new SchemaPipe().transform(value, { type: 'body', schema, ...over });
  } catch (error) {
    return error;
  }
}

describe('SchemaPipe', () => {
  it('given what fits, then it is parsed; without a schema, then it stays', () => {
    expect(parse({ name: 'a' })).toEqual({ name: 'a' });
    expect(parse('7', { type: 'query', schema: z.coerce.number() })).toBe(7);
    expect(new SchemaPipe().transform('x', { type: 'query' })).toBe('x');
  });

  it.each([
    { given: 'a missing field', value: {}, over: {}, field: 'name' },
    { given: 'a NUL', value: { name: 'a\0' }, over: {}, field: 'name' },
    { given: 'no object', value: [], over: {}, field: 'body' },
    { given: 'a bad parameter', value: '', over: { type: 'param', data: 'id', schema: line(5) }, field: 'id' },
  ] as const)('given $given, then it is a 400 that names it', ({ value, over, field }) => {
    expect(parse(value, over)).toMatchObject({
      code: 'BODY_INVALID',
      message: `not valid: ${field}`,
      extra: { errors: [{ field }] },
    });
  });
});
