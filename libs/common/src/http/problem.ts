import type { FieldError } from '../records/field-errors.js';

/** Every error code a caller can meet, with its status and title. Codes are stable; callers match codes, never text. */
export const PROBLEMS = {
  BODY_INVALID: { status: 400, title: 'The request is not valid' },
  UNAUTHENTICATED: { status: 401, title: 'No valid API key' },
  FORBIDDEN: { status: 403, title: 'The API key does not allow this' },
  NOT_FOUND: { status: 404, title: 'Not found' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'Method not allowed' },
  CONFLICT: { status: 409, title: 'Not possible in the present state' },
  BODY_TOO_LARGE: { status: 413, title: 'The request is too large' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'Unsupported media type' },
  URL_NOT_ALLOWED: { status: 422, title: 'The endpoint URL is not allowed' },
  INTERNAL: { status: 500, title: 'Internal error' },
  EVENT_LOG_UNAVAILABLE: { status: 503, title: 'The event log is unavailable' },
  SECRET_KEYS_WRONG: { status: 503, title: 'Secrets cannot be sealed' },
  CONFIGURATION_AHEAD: { status: 503, title: 'The database is older than the configuration in use' },
  DATABASE_UNAVAILABLE: { status: 503, title: 'The database is unavailable' },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

/** An expected failure with a stable code. Everything else that is thrown is a bug or a broken dependency. */
export class ProblemError extends Error {
  constructor(
    readonly code: ProblemCode,
    detail: string,
    readonly extra: { errors?: readonly FieldError[]; retryAfterS?: number; cause?: unknown } = {},
  ) {
    super(detail, { cause: extra.cause });
  }
}

/** RFC 9457 problem details. */
export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ProblemCode;
  errors?: readonly FieldError[];
}

export function problemBody(error: ProblemError): ProblemBody {
  const { status, title } = PROBLEMS[error.code];
  return {
    type: `urn:posthorn:problem:${error.code.toLowerCase().replaceAll('_', '-')}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    ...(error.extra.errors ? { errors: error.extra.errors } : {}),
  };
}
