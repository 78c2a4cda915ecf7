import type { OutRecord } from '#common/kafka/record.js';
import type { Queryable } from '#common/postgres/database.js';
import { ENDPOINTS_TOPIC } from '#common/records/topics.js';
import { owe } from '../outbox/outbox.js';
import { type StoredEndpoint, toEndpointRecord } from './endpoint.js';
import { findEndpoint } from './endpoint.repository.js';

/** The endpoint's present configuration, as the services read it. */
export function endpointOutRecord(endpoint: StoredEndpoint): OutRecord {
  return {
    topic: ENDPOINTS_TOPIC,
    key: endpoint.id,
    value: JSON.stringify(toEndpointRecord(endpoint, Date.now())),
  };
}

/**
 * Owes the endpoint's configuration, as this transaction leaves it, to its topic; a tombstone when it is gone. Its row
 * must be locked by this transaction, or new.
 */
export async function announceEndpoint(tx: Queryable, id: string): Promise<StoredEndpoint | undefined> {
  const endpoint = await findEndpoint(tx, id, undefined);
  await owe(tx, [endpoint ? endpointOutRecord(endpoint) : { topic: ENDPOINTS_TOPIC, key: id, value: null }]);
  return endpoint;
}
