import type { z } from 'zod';

/** The part of zod's issues that is read here. */
interface Issue {
  readonly message: string;
  readonly path: readonly PropertyKey[];
  /** Of `unrecognized_keys`. */
  readonly keys?: readonly string[];
  /** Of `invalid_union`: one list for each form that did not fit. */
  readonly errors?: readonly (readonly Issue[])[];
  /** The fault of the key, for `invalid_key`. */
  readonly issues?: readonly Issue[];
}

/** One fault of an input: the field (`url`, `event_types[0]`, or a header's name) and its fault. */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

/** The field's name in errors of the whole input. */
export const WHOLE_BODY = 'body';

/**
 * One entry for each thing wrong with a request: `event_types[0]`, `retry_policy.cap_s`; unknown fields by their own names.
 * Of a choice of forms, the one that fits best is explained: the others would only confuse.
 *
 * @param whole name of the parsed input, for faults that no single field has
 */
export function fieldErrors(issues: readonly Issue[], whole = WHOLE_BODY): FieldError[] {
  return errorsBelow(issues, []).map(({ path, message }) => ({ field: fieldName(path) || whole, message }));
}

interface PlacedError {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

function errorsBelow(issues: readonly Issue[], parents: readonly PropertyKey[]): PlacedError[] {
  return issues.flatMap((issue): PlacedError[] => {
    const path = [...parents, ...issue.path];
    if (issue.keys) return issue.keys.map((key) => ({ path: [...path, key], message: 'is not known here' }));
    if (issue.issues?.length) return issue.issues.map(({ message }) => ({ path, message }));
    const closest = issue.errors?.map((errors) => errorsBelow(errors, path)).sort((a, b) => a.length - b.length)[0];
    return closest?.length ? closest : [{ path, message: issue.message }];
  });
}

function fieldName(path: readonly PropertyKey[]): string {
  return path.reduce<string>((name, segment) => {
    if (typeof segment === 'number') return `${name}[${segment}]`;
    return name === '' ? String(segment) : `${name}.${String(segment)}`;
  }, '');
}

/** An error map for zod: names the valid form, without zod's terms. A schema's own texts go first. */
export const wording: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is required' : `must be ${KINDS[issue.expected] ?? issue.expected}`;
    case 'too_small':
      return boundText('at least', Number(issue.minimum), issue.origin);
    case 'too_big':
      return boundText('at most', Number(issue.maximum), issue.origin);
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`;
    case 'invalid_format':
      return FORMATS[issue.format];
    default:
      return undefined;
  }
};

const KINDS: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  object: 'an object',
  record: 'an object',
  string: 'a string',
};

const FORMATS: Readonly<Record<string, string>> = {
  datetime: 'must be an RFC 3339 date-time, e.g. 2026-01-31T09:30:00Z',
};

/** The counted unit, where it is not the value itself. */
const UNITS: Readonly<Record<string, string>> = { array: 'item', string: 'character' };

function boundText(bound: 'at least' | 'at most', limit: number, origin: string): string {
  const unit = UNITS[origin];
  return unit === undefined
    ? `must be ${bound} ${limit}`
    : `must have ${bound} ${limit} ${unit}${limit === 1 ? '' : 's'}`;
}
