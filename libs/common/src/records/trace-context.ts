/**
 * W3C Trace Context: headers that go with an event from its producer to the endpoints, unchanged. Posthorn makes no spans
 * of its own.
 */
export interface TraceContext {
  readonly traceparent?: string;
  readonly tracestate?: string;
}

/** Also a header of CloudEvents' extension "Distributed Tracing", with its prefix. */
export const TRACE_HEADERS = ['traceparent', 'tracestate'] as const;

/** version, trace id, parent id, flags; a later version may say more behind those. No id is all zeros. */
const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(-[\x21-\x7e]{1,64})?$/;
const TRACESTATE = /^[\x20-\x7e]{1,512}$/;

const NONE: TraceContext = {};

/**
 * The trace of an event. A malformed header counts as absent, as the W3C recommendation requires: a trace is no reason to
 * reject an event. A state without a parent has no meaning.
 *
 * @param headerOf the value of a header by its lower-case name
 */
export function traceContext(headerOf: (name: (typeof TRACE_HEADERS)[number]) => string | undefined): TraceContext {
  const traceparent = headerOf('traceparent');
  if (traceparent === undefined || !TRACEPARENT.test(traceparent)) return NONE;
  const tracestate = headerOf('tracestate');
  return tracestate === undefined || !TRACESTATE.test(tracestate) ? { traceparent } : { traceparent, tracestate };
}

/** Of a record's headers. CloudEvents' own attributes count where there is no header of the transport. */
export function recordTrace(headers: Readonly<Record<string, Buffer>>): TraceContext {
  const prefix = headers.traceparent === undefined && headers.ce_traceparent !== undefined ? 'ce_' : '';
  return traceContext((name) => headers[prefix + name]?.toString('latin1'));
}
