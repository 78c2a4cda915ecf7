import { readApiKey } from '#common/records/api-key-record.js';
import { DELIVERY_HEADER, decodeDelivery } from '#common/records/delivery-record.js';
import { readEndpoint } from '#common/records/endpoint-record.js';
import { type CorpusOptions, strangeRecords } from './corpus.js';
import { asRead, type StrangeRecord } from './strange-record.js';

const SOON_MS = 20_000;

/**
 * Strange records that a system finishes soon: without deliveries that are due much later, and without valid endpoints
 * and API keys.
 */
export function recordsThatEndSoon(options: CorpusOptions): StrangeRecord[] {
  return strangeRecords(options).filter((record) => !isConfiguration(record) && !isDueLate(record, options.cast.nowMs));
}

function isConfiguration({ topic, key, value }: StrangeRecord): boolean {
  if (topic !== 'endpoints' && topic !== 'api-keys') return false;
  try {
    if (value !== null) (topic === 'endpoints' ? readEndpoint : readApiKey)(String(key), value);
    return value !== null;
  } catch {
    return false;
  }
}

function isDueLate(record: StrangeRecord, nowMs: number): boolean {
  const { headers } = asRead(record, 0);
  return (decodeDelivery(headers[DELIVERY_HEADER])?.dueAt ?? 0) > nowMs + SOON_MS;
}
