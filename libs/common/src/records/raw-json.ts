/**
 * Finds where values are within JSON text, so that a producer's `data` can be passed on to the letter: big integers, key
 * order, repeated keys and all. Everything here expects text that `JSON.parse` has taken; other text gives nonsense.
 */
export interface Span {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * @param text valid JSON
 * @param at anywhere in the white space before an object, or on its brace
 * @returns where the member's value is, the last one when the name is repeated (as `JSON.parse` has it); undefined when
 * the object has no such member
 */
export function memberSpan(text: string, at: number, name: string): Span | undefined {
  let found: Span | undefined;
  let position = skipSpace(text, skipSpace(text, at) + 1);
  while (text.charCodeAt(position) === QUOTE) {
    const nameEnd = endOfString(text, position);
    const isWanted = isName(text, { start: position, end: nameEnd }, name);
    const start = skipSpace(text, skipSpace(text, nameEnd) + 1);
    const end = endOfValue(text, start);
    if (isWanted) found = { start, end };
    position = skipSpace(text, end);
    if (text.charCodeAt(position) === COMMA) position = skipSpace(text, position + 1);
  }
  return found;
}

/**
 * @param text valid JSON
 * @param at anywhere in the white space before an array, or on its bracket
 */
export function elementSpans(text: string, at = 0): Span[] {
  const spans: Span[] = [];
  let start = skipSpace(text, skipSpace(text, at) + 1);
  while (text.charCodeAt(start) !== CLOSE_BRACKET) {
    const end = endOfValue(text, start);
    spans.push({ start, end });
    const next = skipSpace(text, end);
    start = text.charCodeAt(next) === COMMA ? skipSpace(text, next + 1) : next;
  }
  return spans;
}

/** Names are compared unescaped: `"d\u0061ta"` is `data`. */
function isName(text: string, { start, end }: Span, name: string): boolean {
  if (end - start === name.length + 2 && text.startsWith(name, start + 1)) return true;
  const raw = text.slice(start, end);
  return raw.includes('\\') && JSON.parse(raw) === name;
}

function skipSpace(text: string, at: number): number {
  let position = at;
  while (text.charCodeAt(position) <= 0x20) position++;
  return position;
}

function endOfValue(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === QUOTE) return endOfString(text, start);
  return first === OPEN_BRACE || first === OPEN_BRACKET ? endOfNested(text, start) : endOfWord(text, start);
}

/** Counts brackets without recursion: the depth of a producer's data is bounded by its size only. */
function endOfNested(text: string, start: number): number {
  let depth = 0;
  let position = start;
  do {
    const code = text.charCodeAt(position);
    if (code === QUOTE) {
      position = endOfString(text, position);
      continue;
    }
    if (code === OPEN_BRACE || code === OPEN_BRACKET) depth++;
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) depth--;
    position++;
  } while (depth > 0);
  return position;
}

/** @param start on the opening quote @returns behind the closing one */
function endOfString(text: string, start: number): number {
  let quote = text.indexOf('"', start + 1);
  while (isEscaped(text, quote)) quote = text.indexOf('"', quote + 1);
  return quote + 1;
}

/** An odd number of backslashes escapes the next character. */
function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes++;
  return backslashes % 2 === 1;
}

/** Numbers, `true`, `false`, `null`: up to a comma, a closing bracket, white space or the end. */
function endOfWord(text: string, start: number): number {
  let position = start;
  for (let code = text.charCodeAt(position); isWordCode(code); code = text.charCodeAt(position)) position++;
  return position;
}

function isWordCode(code: number): boolean {
  return code > 0x20 && code !== COMMA && code !== CLOSE_BRACKET && code !== CLOSE_BRACE;
}
