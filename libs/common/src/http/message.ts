import { RESERVED_HEADERS } from '../domain/header-names.js';
import { type SigningKey, standardSignature, timestampedSignature } from '../domain/signature.js';
import { TRACE_HEADERS, type TraceContext } from '../records/trace-context.js';
import { VERSION } from '../version.js';

/** The parts of an attempt's headers. */
export interface MessageContent {
  readonly eventId: string;
  /** 1-based. */
  readonly attempt: number;
  /** Seconds since the epoch. */
  readonly timestampS: number;
  /** The exact bytes that are posted. */
  readonly body: Buffer;
  /** The keys valid now, newest first. */
  readonly keys: readonly SigningKey[];
  /** Name of the additional `t=,v1=` header, if the endpoint wants one. */
  readonly signatureHeader: string | undefined;
  /** The endpoint's own headers. Those named in {@link RESERVED_HEADERS} are left out. */
  readonly staticHeaders: Readonly<Record<string, string>>;
  /** Of the producer. */
  readonly trace: TraceContext;
}

const USER_AGENT = `Posthorn/${VERSION}`;

/**
 * The headers of one attempt: Standard Webhooks' three, the deduplication key under its common name, the attempt's number,
 * and the endpoint's own.
 *
 * @returns names and values by turns
 */
export function messageHeaders(content: MessageContent): string[] {
  const { eventId, attempt, timestampS, body, keys, signatureHeader, staticHeaders, trace } = content;
  const headers = [
    'content-type',
    'application/json',
    'user-agent',
    USER_AGENT,
    'webhook-id',
    eventId,
    'webhook-timestamp',
    String(timestampS),
    'webhook-signature',
    standardSignature(keys, eventId, timestampS, body),
    'idempotency-key',
    eventId,
    'webhook-attempt',
    String(attempt),
  ];
  if (signatureHeader !== undefined) headers.push(signatureHeader, timestampedSignature(keys, timestampS, body));
  for (const name of TRACE_HEADERS) if (trace[name] !== undefined) headers.push(name, trace[name]);
  const signed = signatureHeader?.toLowerCase();
  for (const [name, value] of Object.entries(staticHeaders)) {
    const lower = name.toLowerCase();
    if (lower !== signed && !RESERVED_HEADERS.has(lower)) headers.push(name, value);
  }
  return headers;
}
