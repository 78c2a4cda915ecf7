import { isUtf8 } from 'node:buffer';
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  endOfName,
  endOfString,
  endOfValue,
  expectByte,
  JsonSyntaxError,
  LETTER_U,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  skipSpace,
  withEnd,
} from './json-scanner.js';
import type { Span } from './raw-json.js';

/** Members of one object that are compared with the known names and are none of them. More are only checked. */
const MAX_UNKNOWN_NAMES = 1_024;

/** Longest member that is parsed although no string. A schema says more about some of these, such as empty lists. */
const MAX_PARSED_BYTES = 256;

/** A JSON value of which only the spans of an object's known members are known. Spans are in bytes. */
export interface ScannedValue extends Span {
  /** The last member of each known name, as `JSON.parse` has it. Empty unless the value is an object. */
  readonly members: ReadonlyMap<string, Span>;
  /** Names of the first members that are not known, in order, as they are written. */
  readonly unknown: readonly Span[];
}

/** Reads one value. @returns the position behind it @throws JsonSyntaxError */
export type Take = (text: Uint8Array, at: number) => number;

/**
 * Checks a whole document.
 *
 * @param scan reads its one value, in a copy with an end, and returns the position behind it
 * @returns the error that `JSON.parse` would have thrown, in other words; undefined when the document is JSON
 */
export function checkDocument(bytes: Uint8Array, scan: Take): JsonSyntaxError | 'not UTF-8' | undefined {
  if (!isUtf8(bytes)) return 'not UTF-8';
  const text = withEnd(bytes);
  try {
    const end = skipSpace(text, scan(text, skipSpace(text, startOf(text))));
    return end === bytes.length ? undefined : new JsonSyntaxError(text, end);
  } catch (error) {
    if (error instanceof JsonSyntaxError) return error;
    throw error;
  }
}

/** Behind the byte order mark, if there is one: decoding drops it, too. */
function startOf(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

/** @param known names without characters that JSON must escape @throws JsonSyntaxError */
export function scanValue(bytes: Uint8Array, start: number, known: readonly string[]): ScannedValue {
  const members = new Map<string, Span>();
  const unknown: Span[] = [];
  if (bytes[start] !== OPEN_BRACE) return { start, end: endOfValue(bytes, start), members, unknown };
  const end = scanMembers(bytes, start, (nameAt, valueAt) => {
    const valueEnd = endOfValue(bytes, valueAt);
    const name = knownName(bytes, nameAt, known);
    if (name !== undefined) members.set(name, { start: valueAt, end: valueEnd });
    else if (unknown.length < MAX_UNKNOWN_NAMES) unknown.push({ start: nameAt, end: endOfString(bytes, nameAt) });
    return valueEnd;
  });
  return { start, end, members, unknown };
}

/**
 * @param start on the brace
 * @param take reads the value of the member whose name is at the first position
 * @returns the position behind the object
 * @throws JsonSyntaxError
 */
export function scanMembers(
  bytes: Uint8Array,
  start: number,
  take: (nameAt: number, valueAt: number) => number,
): number {
  let position = skipSpace(bytes, expectByte(bytes, start, OPEN_BRACE));
  if (bytes[position] === CLOSE_BRACE) return position + 1;
  for (;;) {
    position = skipSpace(bytes, take(position, endOfName(bytes, position)));
    if (bytes[position] === CLOSE_BRACE) return position + 1;
    position = skipSpace(bytes, expectByte(bytes, position, COMMA));
  }
}

/** @param start on the bracket @returns the position behind the array @throws JsonSyntaxError */
export function scanElements(bytes: Uint8Array, start: number, take: Take): number {
  let position = skipSpace(bytes, expectByte(bytes, start, OPEN_BRACKET));
  if (bytes[position] === CLOSE_BRACKET) return position + 1;
  for (;;) {
    position = skipSpace(bytes, take(bytes, position));
    if (bytes[position] === CLOSE_BRACKET) return position + 1;
    position = skipSpace(bytes, expectByte(bytes, position, COMMA));
  }
}

/**
 * A value for a schema in which every member is a string, null or anything. Strings and short values are as they are. A long
 * list or object is `{}`, a long number is 0: the schema refuses them whatever they hold.
 *
 * @param opaque name of the member that may be anything: it is null
 */
export function valueForSchema(bytes: Uint8Array, scanned: ScannedValue, opaque: string): unknown {
  if (bytes[scanned.start] === OPEN_BRACKET) return [];
  if (bytes[scanned.start] !== OPEN_BRACE) return standIn(bytes, scanned);
  const known = Array.from(scanned.members, ([name, span]) => [name, name === opaque ? null : standIn(bytes, span)]);
  return Object.fromEntries([...known, ...scanned.unknown.map((name) => [standIn(bytes, name), null])]);
}

function standIn(bytes: Uint8Array, span: Span): unknown {
  const first = bytes[span.start];
  if (first === QUOTE || span.end - span.start <= MAX_PARSED_BYTES) return JSON.parse(textOf(bytes, span));
  return first === OPEN_BRACE || first === OPEN_BRACKET ? {} : 0;
}

/** @param span within valid UTF-8, between characters */
export function textOf(bytes: Uint8Array, { start, end }: Span): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
}

/** Names are compared unescaped: `"d\u0061ta"` is `data`. @param start on the opening quote of a valid string */
export function knownName(bytes: Uint8Array, start: number, known: readonly string[]): string | undefined {
  const byte = bytes[start + 1];
  const first = byte === BACKSLASH && bytes[start + 2] === LETTER_U ? hexAt(bytes, start + 3) : byte;
  for (const name of known) {
    if (first === name.charCodeAt(0) && isName(bytes, start + 1, name)) return name;
  }
  return undefined;
}

function isName(bytes: Uint8Array, from: number, name: string): boolean {
  let position = from;
  for (let index = 0; index < name.length; index++) {
    let code = bytes[position++] ?? 0;
    if (code === BACKSLASH) {
      if (bytes[position] !== LETTER_U) return false;
      code = hexAt(bytes, position + 1);
      position += 5;
    }
    if (code !== name.charCodeAt(index)) return false;
  }
  return bytes[position] === QUOTE;
}

/** @param at on the first of four hexadecimal digits */
function hexAt(bytes: Uint8Array, at: number): number {
  let code = 0;
  for (let index = at; index < at + 4; index++) {
    const digit = bytes[index] ?? 0;
    code = code * 16 + (digit & 15) + (digit > 0x39 ? 9 : 0);
  }
  return code;
}
