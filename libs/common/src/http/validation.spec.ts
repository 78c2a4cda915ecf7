import type { ArgumentMetadata } from '@nestjs/common';
import { z } from 'zod';
import { line } from '../records/text-line.js';
import { SchemaPipe, time } from './validation.js';

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
    for (const at of ['2026-01-01T00:00:00Z', '0001-01-01T00:00:00.123456789-12:00', '9999-12-31T23:59:59+14:00']) {
      expect(parse(at, { schema: time() })).toBe(at);
    }
  });

  it.each([
    { given: 'a missing field', value: {}, over: {}, field: 'name' },
    { given: 'a NUL', value: { name: 'a\0' }, over: {}, field: 'name' },
    { given: 'NUL where the schema takes any text', value: { a: ['\0'] }, over: { schema: z.any() }, field: 'a[0]' },
    { given: 'a lone surrogate', value: { name: 'a\ud800' }, over: {}, field: 'name' },
    { given: 'NUL in a name', value: { a: { 'b\0': 1 } }, over: { schema: z.any() }, field: 'a.b\0' },
    { given: 'the year 0', value: '0000-01-01T00:00:00Z', over: { schema: time() }, field: 'body' },
    { given: 'no offset of the earth', value: '2026-01-01T00:00:00+15:00', over: { schema: time() }, field: 'body' },
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
