import { errors } from 'undici';
import type { AttemptError } from '../domain/verdict.js';
import { errorCode } from './error-code.js';
import { BlockedAddressError } from './guarded-connector.js';
import { NameResolutionError } from './host-resolver.js';
import { ReadLimitError } from './read-limit.js';

/** Why no status arrived: one of the closed set, and a short code that says more, for people. */
export interface AttemptFailure {
  readonly error: AttemptError;
  /** Lower case, e.g. `cert_has_expired`; undefined where it would disclose too much. */
  readonly detail: string | undefined;
}

/** By error code, first match. Codes are Node's, OpenSSL's and undici's. */
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
  [/^UND_ERR_(HEADERS_OVERFLOW|RES_)/, 'bad_response'],
];

/** undici reports these as a closed socket, without a code of their own. */
const PROTOCOL_BREACHES: ReadonlyMap<string, string> = new Map([
  ['bad upgrade', 'unasked_upgrade'],
  ['bad response', 'unasked_response'],
]);

/** Sorts whatever ended a request before its status into the closed set. */
export function classifyFailure(error: unknown): AttemptFailure {
  if (error instanceof BlockedAddressError) return { error: 'blocked_address', detail: undefined };
  if (error instanceof NameResolutionError) return { error: 'dns_error', detail: error.code.toLowerCase() };
  if (error instanceof ReadLimitError) return { error: 'bad_response', detail: 'too_long' };
  if (error instanceof errors.HTTPParserError) return { error: 'bad_response', detail: 'invalid_http' };
  const breach = error instanceof errors.SocketError ? PROTOCOL_BREACHES.get(error.message) : undefined;
  if (breach !== undefined) return { error: 'bad_response', detail: breach };
  // When every address of a name fails, Node gives them together the code of the first.
  const code = errorCode(error) ?? '';
  const known = BY_CODE.find(([pattern]) => pattern.test(code));
  return { error: known?.[1] ?? 'connection_error', detail: detailOf(code) };
}

function detailOf(code: string): string | undefined {
  return code === '' ? undefined : code.toLowerCase().replace(/^(und_err|err_ssl|err_tls|err)_/, '');
}
