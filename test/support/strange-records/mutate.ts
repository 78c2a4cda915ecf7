import type { Random } from '#common/domain/testing/random.js';
import { strangeBytes, strangeJson, strangeName, strangeNumber, strangeText } from './hazards.js';
import type { StrangeRecord } from './strange-record.js';

/** A valid record of one of the formats. */
export interface Sample {
  readonly kind: string;
  readonly key: string;
  readonly value: Buffer | string;
  readonly headers?: Readonly<Record<string, string>>;
}

type Headers = StrangeRecord['headers'];
type Change = (record: StrangeRecord, random: Random) => Partial<StrangeRecord>;

const MUTATIONS: Readonly<Record<string, Change>> = {
  'another key': (_, random) => ({ key: strangeBytes(random).subarray(0, 4_000) }),
  'another value': (_, random) => ({ value: strangeBytes(random) }),
  'no value': () => ({ value: null }),
  'no key': () => ({ key: null }),
  'an empty value': () => ({ value: EMPTY }),
  'a value cut off': ({ value }, random) => ({ value: cut(value, random) }),
  'a byte changed': ({ value }, random) => ({ value: changed(value, random) }),
  'a NUL in the key': ({ key }) => ({ key: Buffer.concat([key ?? EMPTY, NUL]) }),
  'a member of the JSON': ({ value }, random) => ({ value: jsonChanged(value, random) }),
  'a line of the value': ({ value }, random) => ({ value: lineChanged(value, random) }),
  'a strange header': ({ headers }, random) => withHeader(headers, strangeName(random), strangeBytes(random)),
  'a header without value': ({ headers }, random) => withHeader(headers, strangeName(random), null),
  'many headers': ({ headers }, random) => withManyHeaders(headers, random),
  'a header twice': ({ headers }, random) => withHeaderTwice(headers, random),
  'a line of a header': ({ headers }, random) => withHeaderChanged(headers, random, lineChanged),
  'a header cut off': ({ headers }, random) => withHeaderChanged(headers, random, cut),
  'a header changed': ({ headers }, random) => withHeaderChanged(headers, random, changed),
  'a header replaced': ({ headers }, random) => withHeaderChanged(headers, random, () => strangeBytes(random)),
};

const EMPTY = Buffer.alloc(0);
const NUL = Buffer.from([0]);
const MANY_HEADERS = 100;

/** Applies one to three random changes to a record. */
export function mutated(topic: string, sample: Sample, random: Random): StrangeRecord {
  const headers = Object.entries(sample.headers ?? {}).map(([name, text]) => [name, Buffer.from(text)] as const);
  let record: StrangeRecord = {
    topic,
    name: sample.kind,
    key: Buffer.from(sample.key),
    value: Buffer.from(sample.value),
    headers: Object.fromEntries(headers),
  };
  for (let left = 1 + random.pick(3); left > 0; left--) {
    const [name, change] = random.among(Object.entries(MUTATIONS));
    record = { ...record, ...change(record, random), name: `${record.name}, ${name}` };
  }
  return record;
}

function cut(bytes: Buffer | null, random: Random): Buffer {
  return Buffer.from(bytes?.subarray(0, random.pick(bytes.length)) ?? EMPTY);
}

function changed(bytes: Buffer | null, random: Random): Buffer {
  const copy = Buffer.from(bytes ?? EMPTY);
  if (copy.length > 0) copy[random.pick(copy.length)] = random.pick(256);
  return copy;
}

/** Replaces a line: a field of a packed header, or of an attempt. */
function lineChanged(bytes: Buffer | null, random: Random): Buffer {
  const lines = (bytes ?? EMPTY).toString().split('\n');
  lines[random.pick(lines.length)] = random.chance(500) ? strangeText(random) : strangeNumber(random);
  return Buffer.from(lines.join('\n'));
}

/** Replaces a member at any depth, or adds one. */
function jsonChanged(bytes: Buffer | null, random: Random): Buffer {
  const text = (bytes ?? EMPTY).toString();
  const members = [...text.slice(0, 5_000).matchAll(/"[^"\\]*":("[^"\\]*"|-?\d+|null|true|false)/g)];
  const member = members.length > 0 && random.chance(800) ? random.among(members) : undefined;
  if (member === undefined)
    return Buffer.from(text.replace('{', `{${JSON.stringify(strangeName(random))}:${strangeJson(random)},`));
  const name = member[0].slice(0, -(member[1]?.length ?? 0));
  const replaced = `${name}${strangeJson(random)}`;
  return Buffer.from(text.slice(0, member.index) + replaced + text.slice(member.index + member[0].length));
}

/** Sets a header; an existing one is replaced. */
function withHeader(headers: Headers, name: string, value: Headers[string]): { headers: Headers } {
  return { headers: Object.fromEntries([...Object.entries(headers), [name, value]]) };
}

function withManyHeaders(headers: Headers, random: Random): { headers: Headers } {
  const added = Array.from({ length: MANY_HEADERS }, (_, at) => {
    const value = strangeBytes(random).subarray(0, 40);
    return [`${strangeName(random)}${at}`, value] as const;
  });
  return { headers: Object.fromEntries([...Object.entries(headers), ...added]) };
}

function withHeaderTwice(headers: Headers, random: Random): { headers: Headers } {
  const names = Object.keys(headers);
  const name = names.length > 0 ? random.among(names) : strangeName(random);
  const first = headers[name];
  return withHeader(headers, name, [Buffer.isBuffer(first) ? first : EMPTY, null, strangeBytes(random)]);
}

function withHeaderChanged(
  headers: Headers,
  random: Random,
  change: (bytes: Buffer | null, random: Random) => Buffer,
): { headers: Headers } {
  const names = Object.keys(headers);
  if (names.length === 0) return withHeader(headers, strangeName(random), strangeBytes(random));
  const name = random.among(names);
  const given = headers[name];
  return withHeader(headers, name, change(Buffer.isBuffer(given) ? given : null, random));
}
