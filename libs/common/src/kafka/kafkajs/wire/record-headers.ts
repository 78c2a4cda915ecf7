import { named } from '../../../collections/named.js';
import type { InRecord } from '../../../records/record.js';
import type { ByteReader } from './byte-reader.js';

/** Most headers of a record, Posthorn's own not counted. */
export const MAX_HEADERS = 256;
/** Most bytes of the names and values of those. */
export const MAX_HEADER_BYTES = 65_536;
/** Names of Posthorn's own headers begin with it. They must fit beside those of any record that was taken. */
const OWN_PREFIX = 'posthorn';
const MAX_OWN_HEADERS = 16;
const MAX_OWN_HEADER_BYTES = 65_536;

export interface ReadHeaders {
  readonly headers: InRecord['headers'];
  /** How many were read, repeated ones too. */
  readonly count: number;
  /** Why not all are there, for people. */
  readonly oversized: string | undefined;
}

/** A record of this system has one to eight. */
const COMPACT_HEADERS = 8;

const NO_BYTES = Buffer.alloc(0);

/**
 * Reads the headers of a record up to the limits, and none beyond them. Of a repeated name the last value counts. Null is
 * an empty value.
 *
 * The object has no prototype: every name is a name, `__proto__`, too.
 *
 * @param reader stands before the number of headers; its end is that of the record
 * @throws MalformedBytesError when they are cut short
 */
export function readHeaders(reader: ByteReader): ReadHeaders {
  const count = reader.varint();
  // V8 makes a shape for every new name of a compact object; many different names take less as a hash table.
  const headers: Headers = count <= COMPACT_HEADERS ? named<Buffer>() : Object.create(null);
  // Nearly every record: no limit can be reached, and none is counted.
  if (count > MAX_OWN_HEADERS || reader.left > MAX_OWN_HEADER_BYTES) return readWithinLimits(reader, count, headers);
  for (let index = 0; index < count; index++) headers[readName(reader)] = reader.field() ?? NO_BYTES;
  return { headers, count, oversized: undefined };
}

type Headers = Record<string, Buffer>;

function readWithinLimits(reader: ByteReader, count: number, headers: Headers): ReadHeaders {
  const others = { headers: 0, bytes: 0, maxHeaders: MAX_HEADERS, maxBytes: MAX_HEADER_BYTES };
  const own = { headers: 0, bytes: 0, maxHeaders: MAX_OWN_HEADERS, maxBytes: MAX_OWN_HEADER_BYTES };
  for (let index = 0; index < count; index++) {
    const { at } = reader;
    const name = readName(reader);
    const value = reader.field() ?? NO_BYTES;
    const sum = name.startsWith(OWN_PREFIX) ? own : others;
    sum.headers++;
    sum.bytes += reader.at - at;
    if (sum.headers > sum.maxHeaders) {
      return { headers, count: index, oversized: `the record has ${count} headers, more than ${sum.maxHeaders}` };
    }
    if (sum.bytes > sum.maxBytes) {
      return { headers, count: index, oversized: `the headers of the record have more than ${sum.maxBytes} bytes` };
    }
    headers[name] = value;
  }
  return { headers, count, oversized: undefined };
}

function readName(reader: ByteReader): string {
  const length = reader.varint();
  const at = reader.skip(length);
  return reader.bytes.toString('utf8', at, at + length);
}
