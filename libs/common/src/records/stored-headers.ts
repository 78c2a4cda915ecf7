import { named } from '../collections/named.js';

/**
 * Headers of a record as JSON has them in the database: names, and values in base64.
 *
 * A name that is not printable ASCII is stored as {@link ENCODED} and its UTF-8 in base64: `jsonb` takes no NUL, and a
 * database with another encoding not every character. Older rows have such names as they are.
 */
export type StoredHeaders = Readonly<Record<string, string>>;

const PLAIN = /^[\x20-\x7e]*$/;
/** A name that begins with it is never stored as it is. */
const ENCODED = '\x01';

export function encodeHeaders(headers: Readonly<Record<string, Buffer | string>>): StoredHeaders {
  const stored = named<string>();
  for (const name of Object.keys(headers))
    stored[storedName(name)] = Buffer.from(headers[name] ?? '').toString('base64');
  return stored;
}

export function decodeHeaders(stored: StoredHeaders): Record<string, Buffer> {
  return mapped(stored, (value) => Buffer.from(value, 'base64'));
}

/** @param stored any JSON value of the database. @returns undefined when it is not the form that `encodeHeaders` makes */
export function readHeaders(stored: unknown): Record<string, Buffer> | undefined {
  return isStoredHeaders(stored) ? decodeHeaders(stored) : undefined;
}

function isStoredHeaders(stored: unknown): stored is StoredHeaders {
  const isObject = typeof stored === 'object' && stored !== null && !Array.isArray(stored);
  return isObject && Object.values(stored).every((value) => typeof value === 'string');
}

/** The same headers with their own names; values stay in base64. */
export function namedHeaders(stored: StoredHeaders): Record<string, string> {
  return mapped(stored, (value) => value);
}

function mapped<Value>(stored: StoredHeaders, read: (stored: string) => Value): Record<string, Value> {
  const headers = named<Value>();
  for (const name of Object.keys(stored)) headers[ownName(name)] = read(stored[name] ?? '');
  return headers;
}

function storedName(name: string): string {
  return PLAIN.test(name) ? name : ENCODED + Buffer.from(name).toString('base64');
}

/** An older row may have a name that only begins like an encoded one. */
function ownName(stored: string): string {
  if (!stored.startsWith(ENCODED)) return stored;
  const name = Buffer.from(stored.slice(ENCODED.length), 'base64').toString();
  return storedName(name) === stored ? name : stored;
}
