import { attemptsAllowed, backoffMs, cappedDelayMs, type RetryPolicy } from './retry-policy.js';

/** What one HTTP request came to: a status line, or an error before one arrived. */
export type AttemptResult =
  | { readonly kind: 'response'; readonly status: number; readonly retryAfter: string | undefined }
  | { readonly kind: 'failure'; readonly error: AttemptError };

/** Closed set of reasons why no usable status arrived. `blocked_address` and `invalid_url` are never retried. */
export const ATTEMPT_ERRORS = [
  'timeout',
  'dns_error',
  'connection_refused',
  'connection_reset',
  'network_unreachable',
  'tls_error',
  'bad_response',
  'connection_error',
  'blocked_address',
  'invalid_url',
  'aborted',
] as const;
export type AttemptError = (typeof ATTEMPT_ERRORS)[number];

/** Why a delivery was given up, or a poison record became a dead letter. */
export const DEAD_REASONS = ['max_retries', 'invalid_endpoint', 'payload_error', 'unrecoverable', 'expired'] as const;
export type DeadReason = (typeof DEAD_REASONS)[number];

/** `gone` is dead too, and disables the endpoint. */
export type Verdict =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'retry'; readonly delayMs: number }
  | { readonly kind: 'dead'; readonly reason: DeadReason }
  | { readonly kind: 'gone'; readonly reason: 'invalid_endpoint' };

export interface AttemptContext {
  readonly policy: RetryPolicy;
  /** 1-based number of the attempt that was made. */
  readonly attempt: number;
  /** How often the delivery was replayed; 0 for its first life. */
  readonly replay: number;
  /** When the answer was seen, ms since the epoch; an HTTP-date in `Retry-After` is read against it. */
  readonly nowMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

const PERMANENT_FAILURES: ReadonlySet<AttemptError> = new Set(['blocked_address', 'invalid_url']);

/**
 * The verdict on one attempt. Only 2xx succeeds and 410 is final (Standard Webhooks); the endpoint's policy names other
 * final statuses. `Retry-After` on 429 and 503 moves the next attempt, never before the policy's own wait.
 */
export function verdictOf(result: AttemptResult, context: AttemptContext): Verdict {
  if (result.kind === 'response') {
    const { status } = result;
    if (status >= 200 && status < 300) return { kind: 'delivered' };
    if (status === 410) return { kind: 'gone', reason: 'invalid_endpoint' };
    if (context.policy.permanentStatuses.includes(status)) return { kind: 'dead', reason: 'unrecoverable' };
  } else if (PERMANENT_FAILURES.has(result.error)) {
    return { kind: 'dead', reason: 'invalid_endpoint' };
  }
  return retryOrGiveUp(result, context);
}

function retryOrGiveUp(result: AttemptResult, { policy, attempt, replay, nowMs, random }: AttemptContext): Verdict {
  if (attempt >= attemptsAllowed(policy, replay)) return { kind: 'dead', reason: 'max_retries' };
  const delayMs = backoffMs(policy, attempt, random);
  if (delayMs === undefined) return { kind: 'dead', reason: 'max_retries' };
  return { kind: 'retry', delayMs: Math.max(delayMs, askedDelayMs(result, policy, nowMs) ?? 0) };
}

function askedDelayMs(result: AttemptResult, policy: RetryPolicy, nowMs: number): number | undefined {
  if (result.kind !== 'response' || (result.status !== 429 && result.status !== 503)) return undefined;
  const askedMs = parseRetryAfterMs(result.retryAfter, nowMs);
  return askedMs === undefined ? undefined : cappedDelayMs(policy, askedMs);
}

/** The three forms of an HTTP-date; the last one, asctime's, does not say that it is GMT. */
const HTTP_DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? .*\d\d:\d\d:\d\d( GMT| \d{4})$/;

/**
 * `Retry-After`, RFC 9110, 10.2.3: whole seconds, or an HTTP-date.
 *
 * @returns milliseconds to wait, or undefined when the header is missing, malformed or in the past
 */
export function parseRetryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  if (!HTTP_DATE.test(text)) return undefined;
  const waitMs = Date.parse(text.endsWith(' GMT') ? text : `${text} GMT`) - nowMs;
  return waitMs > 0 ? waitMs : undefined;
}
