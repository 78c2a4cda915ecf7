import type { ApiKeyRecord } from '#common/records/api-key-record.js';
import { CHANGE_HEADER, type ChangeNumber, encodeChange } from '#common/records/configuration-change.js';
import { type EndpointRecord, UNHELD } from '#common/records/endpoint-record.js';
import { MAX_VERSION } from '#common/records/limits.js';
import { SEQUENCE_MARKER } from '#common/records/marker.js';
import type { OutRecord } from '#common/records/record.js';
import { API_KEYS_TOPIC, ENDPOINTS_TOPIC } from '#common/records/topics.js';

const TENANT = 'posthorn:system';

/**
 * The markers of the highest change, one for each topic. Readers skip them. Those of earlier releases do not: for them each
 * is a record that is well formed and has no effect, since a malformed one on `api-keys` would stop them.
 */
export function markers({ sequence: latest, id }: ChangeNumber): OutRecord[] {
  const sequence = Math.min(latest, MAX_VERSION);
  const headers = { [CHANGE_HEADER]: encodeChange({ sequence, id, version: sequence }) };
  return [
    { topic: ENDPOINTS_TOPIC, key: SEQUENCE_MARKER, value: JSON.stringify(endpointMarker(sequence)), headers },
    { topic: API_KEYS_TOPIC, key: SEQUENCE_MARKER, value: JSON.stringify(apiKeyMarker(sequence)), headers },
  ];
}

/** A key that matches nothing: no text has this hash, its id is none, and it has expired. */
function apiKeyMarker(sequence: number): ApiKeyRecord {
  const hash = '0'.repeat(64);
  return { v: 1, id: SEQUENCE_MARKER, version: sequence, hash, tenant: TENANT, scopes: [], expires_at: 1 };
}

/** An endpoint that takes nothing. */
function endpointMarker(sequence: number): EndpointRecord {
  return {
    v: 1,
    id: SEQUENCE_MARKER,
    version: sequence,
    tenant: TENANT,
    url: 'https://invalid.invalid/',
    event_types: [],
    ordering: 'none',
    retry_policy: { delaysMs: [], jitter: 'none', permanentStatuses: [] },
    payload: 'thin',
    timeout_ms: 1_000,
    max_in_flight: 1,
    signature_header: null,
    secrets: [],
    headers_sealed: null,
    enabled: false,
    ...UNHELD,
  };
}
