import { MAX_GENERATION } from '../domain/position.js';

/*
 * Limits of the fields of records. A record within them can be stored in PostgreSQL, used as a key and sent in HTTP headers,
 * so only readers check them.
 */

/** The last millisecond of the year 9999: later times have no RFC 3339 text, which PostgreSQL and JSON take. */
export const MAX_TIME_MS = 253_402_300_799_999;

/** Attempts of one life, and replays: far beyond any policy, and far below PostgreSQL's `int`. */
export const MAX_COUNT = 1_000_000;

/** PostgreSQL's `int`. */
export const MAX_INT = 2_147_483_647;

/*
 * Control counts up from the numbers of configuration records, which anybody with write rights may write. So each limit
 * says how control goes on from a record that is at it.
 */

/**
 * Version of an endpoint or API key. The next version of the highest one is the same again, and of two records of this
 * version the later one counts.
 */
export const MAX_VERSION = MAX_INT;

/**
 * Sequence of a change in a record: one change a second for 30 years. The database counts on above it, and a record of
 * such a change travels unnumbered. An API key's version begins as a sequence, so this is below {@link MAX_VERSION}.
 */
export const MAX_SEQUENCE = 1_000_000_000;

/**
 * Generation in a marker. The database has as many generations again above it, and those have no marker.
 */
export const MAX_MARKED_GENERATION = Math.floor(MAX_GENERATION / 2);

/**
 * Bytes of a lane's name. The longest resource id takes 768, its endpoint's id 65 more. A row of an index holds 2704.
 */
export const MAX_LANE_BYTES = 1_024;

/** An endpoint's id. Lanes, lists in SQL and metrics use it as it is. */
export const ENDPOINT_ID_PATTERN = /^[\w.-]{1,64}$/;

/** Largest record of `endpoints` and `api-keys`: an endpoint with all it may have takes a quarter of it. */
export const MAX_CONFIGURATION_BYTES = 262_144;

/** Bytes that a retry, a dead letter and the framing of a batch add to a delivery's record. */
export const GROWTH_BYTES = 8_192;

interface Sized {
  readonly key: Buffer | string | null;
  readonly value: Buffer | string | null;
  readonly headers?: Readonly<Record<string, Buffer | string>>;
}

/** Bytes of key, value and headers, and of the framing of each header. */
export function recordBytes({ key, value, headers }: Sized): number {
  let bytes = byteLength(key) + byteLength(value);
  for (const name in headers) bytes += Buffer.byteLength(name) + byteLength(headers[name] ?? null) + 8;
  return bytes;
}

function byteLength(content: Buffer | string | null): number {
  if (content === null) return 0;
  return typeof content === 'string' ? Buffer.byteLength(content) : content.length;
}
