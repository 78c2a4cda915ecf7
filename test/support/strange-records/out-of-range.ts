import { CHANGE_HEADER } from '#common/records/configuration-change.js';
import { SEQUENCE_MARKER } from '#common/records/marker.js';
import { ENDPOINT } from '../endpoint-record.js';
import type { StrangeRecord } from './strange-record.js';

/** Keys whose good records are in use. */
export interface KeysInUse {
  readonly endpointId: string;
  readonly apiKeyId: string;
}

/** Numbers that no field takes, whatever its range. */
const NUMBERS = [-1, 999_999_999_999_999, 2 ** 53, 1e300];
/** The same for a field of a packed header; and the first number that PostgreSQL's `int` does not hold. */
const TEXTS = ['-1', '1.5', '2147483648', '999999999999999', '9007199254740993', '9'.repeat(40)];

const HASH = 'a'.repeat(64);
const MARKED = ['ingest', 'deliveries', 'retry-4s'];

/**
 * Records of configuration with one number out of range, for every number they have: fields of values, of the header of
 * tombstones and of markers. No reader may take one, or control could not count on from it.
 */
export function recordsOutOfRange({ endpointId, apiKeyId }: KeysInUse): StrangeRecord[] {
  const endpoint = {
    ...ENDPOINT,
    id: endpointId,
    retry_policy: { delaysMs: [4_000], jitter: 'none', capMs: 5_000, permanentStatuses: [] },
    secrets: [{ sealed: 'x', expires_at: 5 }],
    max_per_second: 1,
  };
  const apiKey = { v: 1, id: apiKeyId, version: 1, hash: HASH, tenant: null, scopes: ['read'], expires_at: 5 };
  const tail = { partition: 0, from_offset: 1, generation: 2, leader_epoch: 1 };
  const marker = (topic: string) => ({ v: 1, topic, topic_id: 'x', partitions: 8, generation: 1, lost_tails: [tail] });
  return [
    ...valuesOutOfRange('endpoints', endpointId, endpoint),
    ...valuesOutOfRange('api-keys', apiKeyId, apiKey),
    ...MARKED.flatMap((topic) => valuesOutOfRange('endpoints', `posthorn:generation:${topic}`, marker(topic))),
    ...headersOutOfRange('endpoints', endpointId, null),
    ...headersOutOfRange('api-keys', apiKeyId, null),
    ...headersOutOfRange('endpoints', SEQUENCE_MARKER, Buffer.from('{}')),
    ...headersOutOfRange('api-keys', SEQUENCE_MARKER, Buffer.from('{}')),
  ];
}

function valuesOutOfRange(topic: string, key: string, value: object): StrangeRecord[] {
  return [...withNumbersReplaced(value)].map(([name, strange]) => ({
    topic,
    name,
    key: Buffer.from(key),
    value: Buffer.from(JSON.stringify(strange)),
    headers: {},
  }));
}

function headersOutOfRange(topic: string, key: string, value: Buffer | null): StrangeRecord[] {
  const all = TEXTS.flatMap((text) => [`1\n${text}\nx\n1`, `1\n1\nx\n${text}`]);
  return all.map((change) => ({
    topic,
    name: `${CHANGE_HEADER} ${JSON.stringify(change)}`,
    key: Buffer.from(key),
    value,
    headers: { [CHANGE_HEADER]: Buffer.from(change) },
  }));
}

/** Copies of a JSON value, each with one of its numbers replaced, at any depth. */
function* withNumbersReplaced(value: unknown, name = 'value'): Generator<[name: string, copy: unknown]> {
  if (typeof value === 'number') for (const number of NUMBERS) yield [`${name} ${number}`, number];
  if (typeof value !== 'object' || value === null) return;
  for (const [member, inner] of Object.entries(value)) {
    for (const [path, strange] of withNumbersReplaced(inner, `${name}.${member}`)) {
      const copy = Array.isArray(value) ? [...value] : { ...value };
      yield [path, Object.assign(copy, { [member]: strange })];
    }
  }
}
