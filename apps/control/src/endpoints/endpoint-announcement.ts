import type { Queryable } from '#common/postgres/database.js';
import { CHANGE_HEADER, encodeChange, nextVersion } from '#common/records/configuration-change.js';
import type { OutRecord } from '#common/records/record.js';
import { ENDPOINTS_TOPIC } from '#common/records/topics.js';
import { nextChange } from '../changes/changes.js';
import { tombstone } from '../changes/tombstone.js';
import { enqueueOutbox } from '../outbox/outbox.js';
import { type StoredEndpoint, toEndpointRecord } from './endpoint.js';
import { findEndpoint, numberEndpoint } from './endpoint.repository.js';
import { copyOf } from './endpoint-copy.js';

/** The endpoint's present configuration for the other apps, and the columns from which control makes its row again. */
export function endpointOutRecord(endpoint: StoredEndpoint): OutRecord {
  const { id, version, sequence, change_id } = endpoint;
  return {
    topic: ENDPOINTS_TOPIC,
    key: id,
    value: JSON.stringify({ ...toEndpointRecord(endpoint, Date.now()), copy: copyOf(endpoint) }),
    headers: { [CHANGE_HEADER]: encodeChange({ sequence, id: change_id, version }) },
  };
}

/**
 * Numbers this transaction's change of the endpoint, and enqueues its configuration for the topic. Its row must be
 * locked by this transaction, or new.
 *
 * @returns undefined when there is no such endpoint: its deletion was announced
 */
export async function announceEndpoint(tx: Queryable, id: string): Promise<StoredEndpoint | undefined> {
  await numberEndpoint(tx, id, await nextChange(tx, ENDPOINTS_TOPIC, id));
  const endpoint = await findEndpoint(tx, id, undefined);
  if (endpoint !== undefined) await enqueueOutbox(tx, [endpointOutRecord(endpoint)]);
  return endpoint;
}

/** Numbers the deletion of an endpoint, and enqueues its tombstone. */
export async function announceDeletion(tx: Queryable, { id, version }: StoredEndpoint): Promise<void> {
  const change = await nextChange(tx, ENDPOINTS_TOPIC, id);
  await enqueueOutbox(tx, [tombstone(ENDPOINTS_TOPIC, id, { ...change, version: nextVersion(version) })]);
}
