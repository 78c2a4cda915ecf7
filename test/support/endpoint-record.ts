import { type EndpointRecord, UNHELD } from '#common/records/endpoint-record.js';

/** An endpoint that takes every event of its tenant. Tests override single fields. */
export const ENDPOINT: EndpointRecord = {
  v: 1,
  id: 'ep_1',
  version: 1,
  tenant: 'acme',
  url: 'https://example.com/',
  event_types: ['*'],
  ordering: 'resource',
  retry_policy: { delaysMs: [4_000], jitter: 'none', permanentStatuses: [] },
  payload: 'full',
  timeout_ms: 10_000,
  max_in_flight: 32,
  signature_header: null,
  secrets: [],
  headers_sealed: null,
  enabled: true,
  ...UNHELD,
};
