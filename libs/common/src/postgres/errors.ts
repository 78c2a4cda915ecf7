import { types } from 'node:util';

/**
 * Why PostgreSQL cannot do its part for now, with a text for people. The same statement may succeed later, unchanged, so
 * callers repeat it with a backoff and lose nothing.
 */
export const WAIT_REASONS = {
  unreachable: 'PostgreSQL cannot be reached',
  stopped: 'PostgreSQL is starting, shutting down or cancelled the statement',
  authentication: 'PostgreSQL rejects the user or the password',
  database_missing: 'the database does not exist or accepts no connections',
  schema_mismatch: 'a table, column, function or prepared statement is missing or has changed',
  no_rights: 'the database user lacks a right',
  read_only: 'the database is read-only',
  disk_full: 'the disk of PostgreSQL is full',
  too_many_connections: 'PostgreSQL has no connection left',
  out_of_resources: 'PostgreSQL is out of memory or another resource',
  io_error: 'PostgreSQL cannot read or write its files',
  timeout: 'a statement or a lock took too long',
  conflict: 'a deadlock or a serialization failure',
  partition_missing: 'a table has no partition for the day of a row',
} as const;

export type WaitReason = keyof typeof WAIT_REASONS;

/**
 * The meaning of an error of PostgreSQL or its driver for the rows of the statement.
 *
 * - `row`: the values of a row are at fault; the row alone will never be stored.
 * - `wait`: the server, the network or the schema is at fault; no row is.
 * - `unknown`: neither is certain. Only a comparison with other rows decides.
 */
export type ErrorMeaning =
  | { readonly kind: 'row' }
  | { readonly kind: 'wait'; readonly reason: WaitReason }
  | { readonly kind: 'unknown' };

/** An application finds a row unusable while it prepares the statement. */
export class UnusableRowError extends Error {}

const ROW: ErrorMeaning = { kind: 'row' };
const UNKNOWN: ErrorMeaning = { kind: 'unknown' };
const wait = (reason: WaitReason): ErrorMeaning => ({ kind: 'wait', reason });

/**
 * By SQLSTATE (five characters) or its class (two); the longer key wins. Missing codes are `unknown`.
 *
 * @see "PostgreSQL Error Codes", appendix A of PostgreSQL's manual
 */
const MEANINGS: ReadonlyMap<string, ErrorMeaning> = new Map([
  ['22', ROW], // data_exception: out of range, invalid byte sequence, …
  ['23', ROW], // integrity_constraint_violation; see `isPartitionMissing`
  ['54', ROW], // program_limit_exceeded: a value too large for an index, for a statement
  ['08', wait('unreachable')],
  ['0A', wait('schema_mismatch')], // "cached plan must not change result type", after a migration
  ['25006', wait('read_only')],
  ['25P03', wait('timeout')], // idle_in_transaction_session_timeout
  ['25P04', wait('timeout')], // transaction_timeout
  ['26', wait('schema_mismatch')], // the prepared statement is gone: a pooler in transaction mode
  ['28', wait('authentication')],
  ['3D', wait('database_missing')],
  ['3F', wait('schema_mismatch')],
  ['40', wait('conflict')],
  ['42', wait('schema_mismatch')], // texts of statements are constant: no row can cause a class 42 error
  ['42501', wait('no_rights')],
  ['53', wait('out_of_resources')],
  ['53100', wait('disk_full')],
  ['53300', wait('too_many_connections')],
  ['55', wait('conflict')], // object in use
  ['55000', wait('database_missing')], // "database … is not currently accepting connections"
  ['55P03', wait('timeout')], // lock_timeout
  ['57', wait('stopped')],
  ['57014', wait('timeout')], // query_canceled: statement_timeout
  ['57P04', wait('database_missing')], // dropped while connected
  ['58', wait('io_error')],
  ['72', wait('conflict')], // snapshot_too_old
  ['F0', wait('io_error')], // config_file_error
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

/** pg and pg-pool report these without a code. */
const DRIVER_MESSAGES =
  /^(Connection terminated|Query read timeout|timeout exceeded when trying to connect|timeout expired|Client has encountered a connection error|Client was closed|Cannot use a pool after)/;

/** Errors whose code does not show their origin. */
const whileConnecting = new WeakSet<Error>();
const refusedByDriver = new WeakSet<Error>();

/** Notes that no connection could be made: no row is at fault, whatever the error says (TLS, SASL, a file). */
export function markConnectError(error: unknown): void {
  if (types.isNativeError(error)) whileConnecting.add(error);
}

/** Notes that the driver failed before it sent the statement: it cannot encode one of the values. */
export function markRefusedByDriver(error: unknown): void {
  if (types.isNativeError(error)) refusedByDriver.add(error);
}

/** Classifies any error that a statement, a transaction or a connection ended with. Deterministic and free of I/O. */
export function classifyError(error: unknown): ErrorMeaning {
  // Not instanceof: errors of node's own sockets may come from another realm (a test runner's).
  if (!types.isNativeError(error)) return UNKNOWN;
  if (error instanceof UnusableRowError || refusedByDriver.has(error)) return ROW;
  const byCode = classifyCode(error);
  if (byCode.kind !== 'unknown') return byCode;
  if ('errors' in error && Array.isArray(error.errors)) return classifySeveral(error.errors);
  if (DRIVER_MESSAGES.test(error.message) || whileConnecting.has(error)) return wait('unreachable');
  return error.cause === undefined ? UNKNOWN : classifyError(error.cause);
}

/**
 * Whether PostgreSQL is unusable for now. Callers wait and repeat. The transaction may have committed, so repeated statements
 * must be idempotent.
 */
export function isUnavailable(error: unknown): boolean {
  return classifyError(error).kind === 'wait';
}

/** Whether PostgreSQL, or its driver, refused a value that it got: NUL in a text, a number or a time out of range. */
export function isValueRefused(error: unknown): boolean {
  return codeOf(error).startsWith('22') || (types.isNativeError(error) && refusedByDriver.has(error));
}

/** An error as readiness and logs show it: the name of its reason, a text for operators, and PostgreSQL's message. */
export function describeProblem(error: unknown): string {
  const meaning = classifyError(error);
  const said = saidBy(error);
  if (meaning.kind === 'wait') return `${meaning.reason}: ${WAIT_REASONS[meaning.reason]}${said}`;
  return `${meaning.kind}: a statement fails${said}`;
}

/** PostgreSQL's code, or one of node. */
export function codeOf(error: unknown): string {
  return types.isNativeError(error) && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

export function messageOf(error: unknown): string {
  return types.isNativeError(error) ? error.message : String(error);
}

function classifyCode(error: Error): ErrorMeaning {
  const code = codeOf(error);
  if (NETWORK_CODES.has(code)) return wait('unreachable');
  if (code.length !== 5) return UNKNOWN;
  if (isPartitionMissing(error, code)) return wait('partition_missing');
  return MEANINGS.get(code) ?? MEANINGS.get(code.slice(0, 2)) ?? UNKNOWN;
}

/** The message may be in any language; a violated CHECK names its constraint, a row without a partition does not. */
function isPartitionMissing(error: Error, code: string): boolean {
  return code === '23514' && !('constraint' in error && error.constraint !== undefined);
}

/** Attempts to connect to each address of a host. */
function classifySeveral(errors: readonly unknown[]): ErrorMeaning {
  const meanings = errors.map(classifyError);
  return meanings.find(({ kind }) => kind === 'wait') ?? meanings[0] ?? UNKNOWN;
}

function saidBy(error: unknown): string {
  const code = codeOf(error);
  const parts = [code, messageOf(error)].filter((part) => part !== '');
  return parts.length === 0 ? '' : ` (${parts.join(': ')})`;
}
