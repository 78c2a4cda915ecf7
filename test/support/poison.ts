import type { IHeaders } from 'kafkajs';

/** A poison record. */
export interface Poison {
  /** Key of the record; null for none, undefined for the caller's. */
  readonly key?: null;
  readonly value: Buffer | string | null;
  readonly headers?: IHeaders;
}

const EVENT = JSON.stringify({ id: 'poison', type: 'poison.taken', data: null });
const JSON_EVENT = JSON.stringify({ specversion: '1.0', id: 'poison', source: '/', type: 'poison.taken' });
const STRUCTURED = { 'content-type': 'application/cloudevents+json' };

/** The default of MAX_EVENT_BYTES. */
export const MAX_EVENT_BYTES = 262_144;

export const INGEST_POISON: Readonly<Record<string, Poison>> = {
  'text that is not JSON': { value: 'hello' },
  'text that is not UTF-8': { value: Buffer.from([0x22, 0xff, 0xfe, 0x22]) },
  'no value': { value: null },
  'no value and no key': { key: null, value: null },
  'an event without id': { value: JSON.stringify({ type: 'poison.taken', data: null }) },
  'an event without type and data': { value: JSON.stringify({ id: 'poison' }) },
  'a misspelt field': { value: JSON.stringify({ ...JSON.parse(EVENT), resourceid: 'r' }) },
  'a bad date': { value: JSON.stringify({ ...JSON.parse(EVENT), occurred_at: 'yesterday' }) },
  'an event that is too large': { value: JSON.stringify({ ...JSON.parse(EVENT), data: 'x'.repeat(MAX_EVENT_BYTES) }) },
  'CloudEvents of an unknown version, binary': {
    value: '{}',
    headers: { ce_specversion: '2.0', ce_id: 'poison', ce_source: '/', ce_type: 'poison.taken' },
  },
  'CloudEvents of an unknown version, structured': { value: JSON_EVENT.replace('1.0', '0.3'), headers: STRUCTURED },
  'a dead letter of no delivery': { value: EVENT, headers: { 'posthorn-dead-reason': 'max_retries' } },
  'a dead letter with an unknown reason': { value: EVENT, headers: { 'posthorn-dead-reason': 'boredom' } },
};

/** @param header packed header of a delivery in this lane */
export function deliveriesPoison(header: string): Readonly<Record<string, Poison>> {
  return {
    'no key': { key: null, value: '{}', headers: { posthorn: header } },
    'no value': { value: null, headers: { posthorn: header } },
    'no packed header': { value: '{}' },
    'a packed header of an unknown version': { value: '{}', headers: { posthorn: header.replace('1', '2') } },
    'a packed header cut off': { value: '{}', headers: { posthorn: header.slice(0, header.lastIndexOf('\n')) } },
    'a packed header that is not text': { value: '{}', headers: { posthorn: Buffer.from([0xff, 0x00, 0x0a]) } },
    'a dead letter with an unknown reason': {
      value: '{}',
      headers: { posthorn: header, 'posthorn-dead-reason': 'boredom' },
    },
  };
}
