import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import { z } from 'zod';
import { fieldErrors, wording } from './field-errors.js';
import { ProblemError } from './problem.js';

const MAX_ERRORS = 50;

/** Parses every parameter declared as `@Body({ schema })` and the like; what does not fit is a 400 that names each field. */
export class SchemaPipe implements PipeTransform {
  transform(value: unknown, { schema, type, data }: ArgumentMetadata): unknown {
    if (!(schema instanceof z.ZodType)) return value;
    const result = schema.safeParse(value, { error: wording });
    if (result.success) return result.data;
    const errors = fieldErrors(result.error.issues, data ?? type).slice(0, MAX_ERRORS);
    const fields = [...new Set(errors.map(({ field }) => field))].slice(0, 5).join(', ');
    throw new ProblemError('BODY_INVALID', `not valid: ${fields}`, { errors });
  }
}

/** Text that PostgreSQL can store and a person could have meant: no control characters, NUL above all. */
export function line(maxLength: number): z.ZodString {
  return z
    .string()
    .min(1)
    .max(maxLength)
    .regex(/^[^\p{Cc}]*$/u, { error: 'must not have control characters' });
}
