import { decodeAttempt } from '#common/records/attempt-record.js';
import { readEndpoint } from '#common/records/endpoint-record.js';
import { parseEventRecord } from '#common/records/event-record.js';

const LIMIT = 1_048_576;
const BYTES = 250_000;
/** Limit of reading, as a multiple of `JSON.parse` for the same text: independent of the machine's load. */
const MOST_TIMES = 5;
/** Lower bound of the limit, for texts that are parsed very fast: 10 ms per MB, times four for a busy machine. */
const SLACK_MS = 10;
const ROUNDS = 7;

const repeated = (bytes: number, part: (at: number) => string) => {
  const parts: string[] = [];
  for (let length = 0; length < bytes; ) {
    const next = part(parts.length);
    length += next.length + 1;
    parts.push(next);
  }
  return parts.join(',');
};
const event = (members: string) => `{"id":"a","type":"b",${members}}`;

/**
 * JSON that is expensive to read: many names, deep nesting, escapes, and texts on which regular expressions backtrack.
 */
const HOSTILE: Readonly<Record<string, (bytes: number) => string>> = {
  'unknown members': (bytes) => `{${repeated(bytes, (at) => `"k${at}":0`)}}`,
  'unknown members beside an event': (bytes) => event(`"data":0,${repeated(bytes, (at) => `"\\u0061${at}":0`)}`),
  'the same member again': (bytes) => event(repeated(bytes, () => '"data":0')),
  'data of many members': (bytes) => event(`"data":{${repeated(bytes, (at) => `"k${at}":{}`)}}`),
  'data nested as deep as it is long': (bytes) => event(`"data":${'['.repeat(bytes / 2)}${']'.repeat(bytes / 2)}`),
  'objects nested as deep': (bytes) => event(`"data":${'{"a":'.repeat(bytes / 6)}0${'}'.repeat(bytes / 6)}`),
  'data of backslashes': (bytes) => event(`"data":"${'\\\\'.repeat(bytes / 2)}"`),
  'data of escaped quotes': (bytes) => event(`"data":"${'\\"'.repeat(bytes / 2)}"`),
  'a type that nearly fits': (bytes) => `{"id":"a","data":0,"type":"${'a.'.repeat(bytes / 2)}"}`,
  'a resource id that nearly fits': (bytes) => event(`"data":0,"resource_id":"${'x'.repeat(bytes)}\\u0000"`),
  'white space': (bytes) => event(`"data":0${' '.repeat(bytes)}`),
};

function msOf(work: () => unknown): number {
  const from = performance.now();
  work();
  return performance.now() - from;
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return error;
  }
}

describe.each(Object.entries(HOSTILE))('%s', (_, make) => {
  it.each([
    ['a native event', {}],
    ['a CloudEvent', { 'content-type': Buffer.from('application/cloudevents+json') }],
  ])('given as %s, then reading takes at most a few times as long as JSON.parse', (_form, headers) => {
    const value = Buffer.from(make(BYTES));
    const rounds = Array.from({ length: ROUNDS }, () => ({
      read: msOf(() => parseEventRecord({ value, headers }, LIMIT)),
      parsed: msOf(() => tryParse(value.toString())),
    }));
    const readMs = Math.min(...rounds.map(({ read }) => read));
    const parsedMs = Math.min(...rounds.map(({ parsed }) => parsed));
    expect(readMs).toBeLessThan(MOST_TIMES * parsedMs + SLACK_MS);
  });

  it('given as an attempt or an endpoint of a megabyte, then the record is rejected by its length', () => {
    const value = Buffer.from(make(LIMIT));
    expect(decodeAttempt(value)).toEqual({ problem: `it has ${value.length} bytes` });
    expect(() => readEndpoint('ep_1', value)).toThrow(`it has ${value.length} bytes`);
  });
});
