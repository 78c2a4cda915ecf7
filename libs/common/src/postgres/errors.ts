import { types } from 'node:util';

/** SQLSTATE classes and codes that say "not now": the same statement may succeed later, unchanged. */
const UNAVAILABLE_CLASSES = ['08', '53', '57P', '58'];
const UNAVAILABLE_CODES = new Set([
  '57014', // query_canceled: statement_timeout
  '55P03', // lock_not_available: lock_timeout
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '25006', // read_only_sql_transaction: a failover left us on a standby
  '25P03', // idle_in_transaction_session_timeout
]);

const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/** pg and pg-pool say these in words only. */
const DRIVER_MESSAGES =
  /^(Connection terminated|Query read timeout|timeout exceeded when trying to connect|timeout expired|Client has encountered a connection error|Cannot use a pool after)/;

/**
 * Whether PostgreSQL could not do its part for now: connection lost or refused, starting up or shutting down, out of
 * resources, timed out, deadlocked. Callers wait and repeat; a transaction that ended so may or may not be committed, so
 * what is repeated must be idempotent.
 */
export function isUnavailable(error: unknown): boolean {
  // Not instanceof: errors of node's own sockets may come from another realm (a test runner's).
  if (!types.isNativeError(error)) return false;
  if ('errors' in error && Array.isArray(error.errors)) return error.errors.some(isUnavailable);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (NETWORK_CODES.has(code) || UNAVAILABLE_CODES.has(code)) return true;
  if (code.length === 5 && UNAVAILABLE_CLASSES.some((prefix) => code.startsWith(prefix))) return true;
  return DRIVER_MESSAGES.test(error.message) || (error.cause !== undefined && isUnavailable(error.cause));
}

/** Whether a statement failed of the values it was given (SQLSTATE class 22): they will never do. */
export function isDataError(error: unknown): boolean {
  return types.isNativeError(error) && 'code' in error && typeof error.code === 'string' && /^22...$/.test(error.code);
}
