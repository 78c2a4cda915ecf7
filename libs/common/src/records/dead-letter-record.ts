import { parseRfc3339 } from '../domain/rfc3339.js';
import { DEAD_REASONS, type DeadReason } from '../domain/verdict.js';
import { MAX_TIME_MS } from './limits.js';
import { wholeNumberUpTo } from './packed-fields.js';

/**
 * Readable headers a record of `dlq` has on top of its own. A record with a reason is a dead letter; put into
 * `deliveries` or `ingest` it is a replay, and these headers are dropped.
 */
export const DEAD_HEADERS = {
  reason: 'posthorn-dead-reason',
  at: 'posthorn-dead-at',
  detail: 'posthorn-dead-detail',
  lastStatus: 'posthorn-dead-last-status',
  lastError: 'posthorn-dead-last-error',
  /** `topic/partition/offset` the record was read at. */
  source: 'posthorn-dead-source',
  /** Of a delivery: security/dead-letter-signer.ts. It proves to the dispatcher that a replay was a delivery. */
  mac: 'posthorn-mac',
} as const;

export interface DeadLetterInfo {
  readonly reason: DeadReason;
  /** ms since the epoch. */
  readonly at: number;
  readonly detail: string | undefined;
  readonly lastStatus: number | undefined;
  readonly lastError: string | undefined;
  readonly source: string;
}

type Headers = Readonly<Record<string, Buffer | string | undefined>>;

export function deadLetterHeaders(info: DeadLetterInfo): Record<string, string> {
  return {
    [DEAD_HEADERS.reason]: info.reason,
    [DEAD_HEADERS.at]: new Date(info.at).toISOString(),
    ...(info.detail === undefined ? {} : { [DEAD_HEADERS.detail]: info.detail }),
    ...(info.lastStatus === undefined ? {} : { [DEAD_HEADERS.lastStatus]: String(info.lastStatus) }),
    ...(info.lastError === undefined ? {} : { [DEAD_HEADERS.lastError]: info.lastError }),
    [DEAD_HEADERS.source]: info.source,
  };
}

export function hasDeadLetterHeaders(headers: Headers): boolean {
  return headers[DEAD_HEADERS.reason] !== undefined;
}

const MAX_STATUS = 999;

/**
 * A malformed or out-of-range header other than the reason counts as missing: the record matters more than its headers.
 *
 * @returns undefined when the reason is missing or unknown: the record is no dead letter
 */
export function readDeadLetter(headers: Headers): DeadLetterInfo | undefined {
  const reason = DEAD_REASONS.find((known) => known === headers[DEAD_HEADERS.reason]?.toString());
  if (reason === undefined) return undefined;
  // `Date.parse` takes `0` for the year 2000: such a dead letter would be older than what is kept.
  const at = parseRfc3339(headers[DEAD_HEADERS.at]?.toString() ?? '') ?? 0;
  return {
    reason,
    at: at > 0 && at <= MAX_TIME_MS ? at : 0,
    detail: headers[DEAD_HEADERS.detail]?.toString(),
    lastStatus: wholeNumberUpTo(MAX_STATUS, headers[DEAD_HEADERS.lastStatus]?.toString()) || undefined,
    lastError: headers[DEAD_HEADERS.lastError]?.toString(),
    source: headers[DEAD_HEADERS.source]?.toString() ?? '',
  };
}

/** The record's own headers, as they were before it became a dead letter. */
export function withoutDeadLetterHeaders<T>(headers: Readonly<Record<string, T>>): Record<string, T> {
  const ours: readonly string[] = Object.values(DEAD_HEADERS);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !ours.includes(name)));
}
