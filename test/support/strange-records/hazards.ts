import type { Random } from '#common/domain/testing/random.js';

/** Names of headers and fields. */
const NAMES = [
  '',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'a\0b',
  '\0',
  '\x01YQ==',
  'line\nfeed',
  'ä€𝄞',
  '\u{202e}',
  'posthorn',
  'posthorn-dead-reason',
  'posthorn-dead-at',
  'posthorn-dead-last-status',
  'posthorn-about',
  'content-type',
  'ce_id',
  'ce_specversion',
  'traceparent',
];

/** Texts of a field, as bytes or in JSON. */
const TEXTS = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\n',
  'a\nb',
  '\r\nx: y',
  '\x1e',
  ',',
  '\\',
  '"',
  "'; drop table events; --",
  '\ud800',
  'a\udc00b',
  '__proto__',
  'constructor',
  '../../etc',
  'NaN',
  'null',
  'ä€𝄞',
  '\u{feff}',
  'x'.repeat(300),
  'x'.repeat(3_000),
  '€'.repeat(1_000),
  '\0'.repeat(50),
];

/** Numbers of a field, as text. */
const NUMBERS = [
  '-1',
  '-0',
  '0',
  '1.5',
  '1e300',
  '-1e300',
  'NaN',
  'Infinity',
  '2147483647',
  '2147483648',
  '4294967296',
  '253402300799999',
  '253402300800000',
  '999999999999999',
  '9007199254740993',
  '9223372036854775808',
  '18446744073709551616',
  '1'.repeat(400),
  '0x10',
  ' 1',
  '１',
];

const JSON_VALUES = [
  'null',
  'true',
  '{}',
  '[]',
  '""',
  '{"__proto__":{"a":1}}',
  '[[[[]]]]',
  '"\\u0000"',
  '"\\ud800"',
  '1e999',
];

export const strangeName = (random: Random) => random.among(NAMES);
export const strangeText = (random: Random) => random.among(TEXTS);
export const strangeNumber = (random: Random) => random.among(NUMBERS);

/** A JSON value, encoded. */
export function strangeJson(random: Random): string {
  const how = random.pick(3);
  if (how === 0) return random.among(JSON_VALUES);
  if (how === 1) return JSON.stringify(strangeText(random));
  const number = strangeNumber(random);
  return /^-?(0|[1-9]\d*)(\.\d+)?(e\d+)?$/.test(number) ? number : JSON.stringify(number);
}

/** Bytes: random, long, and prefixes of formats. */
export function strangeBytes(random: Random): Buffer {
  const how = random.pick(200);
  if (how === 0) return Buffer.alloc(250_000, 'x');
  if (how === 1) return Buffer.from(`${'['.repeat(50_000)}${']'.repeat(50_000)}`);
  if (how === 2) return Buffer.alloc(100_000, '\n');
  if (how === 3) return Buffer.from(`{${Array.from({ length: 5_000 }, (_, at) => `"k${at}":0`).join(',')}}`);
  if (how < 60) return Buffer.from(strangeText(random));
  if (how < 100) return Buffer.from(strangeJson(random));
  return Buffer.from(Array.from({ length: random.pick(80) }, () => random.pick(256)));
}
