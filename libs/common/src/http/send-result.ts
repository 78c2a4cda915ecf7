import type { AttemptResult } from '../domain/verdict.js';

/** The kept part of an answer. */
export const MAX_CAPTURED_BYTES = 4_096;

/** The result of one POST. */
export interface SendResult {
  readonly result: AttemptResult;
  readonly statusCode: number | undefined;
  /** A short lower-case code that says more than the result, e.g. `cert_has_expired` or `body_incomplete`. */
  readonly errorDetail: string | undefined;
  /** First bytes of the answer as they came, never inflated; at most {@link MAX_CAPTURED_BYTES}. */
  readonly responseBody: Buffer;
  readonly durationMs: number;
  /** The endpoint had no part in the failure: this process has no DNS, or no file handles. Never with a status. */
  readonly isOurFault: boolean;
}
