import { StandardSchemaValidationPipe } from '@nestjs/common';
import { z } from 'zod';
import { type FieldError, ProblemError } from './problem.js';

/** The part of zod's issues that is read here; Standard Schema itself promises only message and path. */
interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
  readonly code?: string;
  /** Of `unrecognized_keys`. */
  readonly keys?: readonly string[];
  /** Of `invalid_union`: one list for each form that did not fit. */
  readonly errors?: readonly (readonly Issue[])[];
}

const MAX_ERRORS = 50;

/** Parses every parameter declared as `@Body({ schema })` and the like; what does not fit is a 400 that names each field. */
export function schemaPipe(): StandardSchemaValidationPipe {
  return new StandardSchemaValidationPipe({
    exceptionFactory: (issues) => {
      const errors = fieldErrors(issues).slice(0, MAX_ERRORS);
      const fields = [...new Set(errors.map(({ field }) => field || 'the whole'))].slice(0, 5).join(', ');
      return new ProblemError('BODY_INVALID', `not valid: ${fields}`, { errors });
    },
  });
}

/**
 * One entry for each thing wrong, unknown fields by their own names. Of a choice of forms, the one that fits best is
 * explained: the others would only confuse.
 */
export function fieldErrors(issues: readonly Issue[], parents: readonly string[] = []): FieldError[] {
  return issues.flatMap((issue): FieldError[] => {
    const path = [...parents, ...(issue.path ?? []).map(segmentText)];
    if (issue.keys) return issue.keys.map((key) => ({ field: [...path, key].join('.'), message: 'is not known here' }));
    const closest = issue.errors?.map((errors) => fieldErrors(errors, path)).sort((a, b) => a.length - b.length)[0];
    return closest?.length ? closest : [{ field: path.join('.'), message: issue.message }];
  });
}

function segmentText(segment: PropertyKey | { readonly key: PropertyKey }): string {
  return String(typeof segment === 'object' ? segment.key : segment);
}

/** Text that PostgreSQL can store and a person could have meant: no control characters, NUL above all. */
export function line(maxLength: number): z.ZodString {
  return z
    .string()
    .min(1)
    .max(maxLength)
    .regex(/^[^\p{Cc}]*$/u, { error: 'must not have control characters' });
}
