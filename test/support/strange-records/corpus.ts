import { Random } from '#common/domain/testing/random.js';
import { strangeBytes, strangeName } from './hazards.js';
import { mutated } from './mutate.js';
import { type Cast, samples } from './samples.js';
import type { StrangeRecord } from './strange-record.js';

export interface CorpusOptions {
  /** The same seed gives the same records. */
  readonly seed: number;
  readonly cast: Cast;
  /** Records of each topic and kind. */
  readonly each: number;
}

/** Topics that reject records without a key. */
const COMPACTED = ['endpoints', 'api-keys'];

/** Strange records of every topic: of each of its formats, and of none. */
export function strangeRecords({ seed, cast, each }: CorpusOptions): StrangeRecord[] {
  const random = new Random(seed);
  const all: StrangeRecord[] = [];
  for (let number = 0; number < each; number++) {
    for (const [topic, ofTopic] of Object.entries(samples(cast, number))) {
      for (const sample of ofTopic) all.push(mutated(topic, sample, random));
      all.push(junk(topic, random));
    }
  }
  return all.map((record) => (COMPACTED.includes(record.topic) ? withKey(record) : record));
}

function junk(topic: string, random: Random): StrangeRecord {
  const headers = Array.from({ length: random.pick(4) }, () => [strangeName(random), strangeBytes(random)] as const);
  const key = random.chance(200) ? null : strangeBytes(random).subarray(0, 4_000);
  const value = random.chance(100) ? null : strangeBytes(random);
  return { topic, name: 'of no format', key, value, headers: Object.fromEntries(headers) };
}

function withKey(record: StrangeRecord): StrangeRecord {
  return record.key === null ? { ...record, key: Buffer.from('strange') } : record;
}

/**
 * Records with very many headers. A decoder that copies the headers for each one takes minutes. For tests whose
 * consumers limit the number of headers.
 */
export function recordsWithManyHeaders(topics: readonly string[], headers = 15_000): StrangeRecord[] {
  const names = Array.from({ length: headers }, (_, at) => [`h${at}`, Buffer.from('x')] as const);
  return topics.map((topic) => ({
    topic,
    name: `${headers} headers`,
    key: Buffer.from('strange'),
    value: Buffer.from('{}'),
    headers: Object.fromEntries(names),
  }));
}

/** Values that are invalid as configuration. Under a valid key, the valid configuration must stay. */
export const BROKEN_VALUES: readonly Buffer[] = [
  'junk',
  '',
  'null',
  '[]',
  '{}',
  '{"v":1}',
  '{"__proto__":{"v":1}}',
  '\0',
  '['.repeat(50_000),
].map((text) => Buffer.from(text));
