import type { AttemptError } from '../domain/verdict.js';
import { BlockedAddressError } from './guarded-connector.js';
import { NameResolutionError } from './host-resolver.js';

/** Why no status arrived: one of the closed set, and a short code that says more, for people. */
export interface AttemptFailure {
  readonly error: AttemptError;
  /** Lower case, e.g. `cert_has_expired`; undefined where it would tell too much. */
  readonly detail: string | undefined;
}

/** By error code, first match. Codes are Node's, OpenSSL's, llhttp's and undici's. */
const BY_CODE: readonly (readonly [RegExp, AttemptError])[] = [
  [/^(UND_ERR_CONNECT_TIMEOUT|ETIMEDOUT)$/, 'timeout'],
  [/^ECONNREFUSED$/, 'connection_refused'],
  [/^(ECONNRESET|ECONNABORTED|EPIPE|UND_ERR_SOCKET)$/, 'connection_reset'],
  [/^(ENETUNREACH|EHOSTUNREACH|ENETDOWN|EHOSTDOWN|EADDRNOTAVAIL)$/, 'network_unreachable'],
  [
    /^(EPROTO|ERR_SSL_|ERR_TLS_|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_|PATH_LENGTH_|HOSTNAME_)/,
    'tls_error',
  ],
  // Closed by us, for a new configuration or the end of the process.
  [/^UND_ERR_(CLOSED|DESTROYED|ABORTED)$/, 'aborted'],
  [/^(HPE_|UND_ERR_HEADERS_OVERFLOW|UND_ERR_RES_)/, 'bad_response'],
];

/** undici reports these as a closed socket, without a code of their own. */
const PROTOCOL_BREACHES: ReadonlyMap<string, string> = new Map([
  ['bad upgrade', 'unasked_upgrade'],
  ['bad response', 'unasked_response'],
]);

/** Sorts whatever ended a request before its status into the closed set. */
export function classifyFailure(error: Error): AttemptFailure {
  if (error instanceof BlockedAddressError) return { error: 'blocked_address', detail: undefined };
  if (error instanceof NameResolutionError) return { error: 'dns_error', detail: error.code.toLowerCase() };
  // Every address of a name failed; the first one is as telling as any.
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return classifyFailure(error.errors[0]);
  const breach = PROTOCOL_BREACHES.get(error.message);
  if (breach !== undefined) return { error: 'bad_response', detail: breach };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const known = BY_CODE.find(([pattern]) => pattern.test(code));
  return { error: known?.[1] ?? 'connection_error', detail: detailOf(code) };
}

function detailOf(code: string): string | undefined {
  return code === '' ? undefined : code.toLowerCase().replace(/^(und_err|err_ssl|err_tls|err)_/, '');
}
