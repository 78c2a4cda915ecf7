import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import { z } from 'zod';
import type { FieldError } from '../records/field-errors.js';
import { fieldErrors, wording } from '../records/field-errors.js';
import { ProblemError } from './problem.js';

const MAX_ERRORS = 50;

/**
 * Parses every parameter declared as `@Body({ schema })` and the like. A mismatch is a 400 that names each field. Text that
 * PostgreSQL cannot store is rejected in every field.
 */
export class SchemaPipe implements PipeTransform {
  transform(value: unknown, { schema, type, data }: ArgumentMetadata): unknown {
    if (!(schema instanceof z.ZodType)) return value;
    const whole = data ?? type;
    const result = schema.safeParse(value, { error: wording });
    if (!result.success) throw invalid(fieldErrors(result.error.issues, whole));
    const unstorable = unstorableTexts(result.data).map((path) => ({ code: 'custom', path, message: UNSTORABLE }));
    if (unstorable.length > 0) throw invalid(fieldErrors(unstorable, whole));
    return result.data;
  }
}

/** The longest has nanoseconds and an offset. PostgreSQL reads no time of more than 128 characters. */
const MAX_TIME_LENGTH = 64;
/** PostgreSQL has no year 0, and refuses offsets of 16 hours and more; no place on earth has more than 14. */
const STORABLE_TIME = /^(?!0000).*(Z|[+-](0\d|1[0-4]):\d\d)$/;

/** An RFC 3339 date-time that PostgreSQL can store. */
export function time(): z.ZodISODateTime {
  return z.iso
    .datetime({ offset: true, abort: true })
    .max(MAX_TIME_LENGTH)
    .regex(STORABLE_TIME, { error: 'must have a year from 0001 on, and an offset of less than 15 hours' });
}

/** Whether a column of type text or jsonb holds the text as it is: UTF-8 has no lone surrogates, PostgreSQL no NUL. */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

const UNSTORABLE = 'must have neither NUL nor lone surrogates';

/** @returns the path of each text and of each name, at any depth, that is not storable */
function unstorableTexts(value: unknown): PropertyKey[][] {
  if (typeof value === 'string') return isStorableText(value) ? [] : [[]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => {
    const key = Array.isArray(value) ? Number(name) : name;
    const below = isStorableText(name) ? unstorableTexts(member) : [[]];
    return below.map((path) => [key, ...path]);
  });
}

function invalid(all: readonly FieldError[]): ProblemError {
  const errors = all.slice(0, MAX_ERRORS);
  const fields = [...new Set(errors.map(({ field }) => field))].slice(0, 5).join(', ');
  return new ProblemError('BODY_INVALID', `not valid: ${fields}`, { errors });
}
