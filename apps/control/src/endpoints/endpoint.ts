import type { Ordering } from '#common/domain/lane.js';
import type { RetryPolicy } from '#common/domain/retry-policy.js';
import type { EndpointRecord } from '#common/records/endpoint-record.js';
import { type StoredHolds, type StoredLimits, showLimits } from './endpoint-limits.js';
import type { ShownEndpoint } from './endpoint-schemas.js';
import { showRetryPolicy } from './retry-policy-form.js';

/** An endpoint as it is stored. Secrets and static headers are sealed. */
export interface StoredEndpoint extends StoredLimits, StoredHolds {
  readonly id: string;
  readonly tenant: string;
  readonly version: number;
  /** Of its last change; 0 and empty when that was made by an earlier release. */
  readonly sequence: number;
  readonly change_id: string;
  readonly url: string;
  readonly description: string | null;
  readonly event_types: string[];
  readonly ordering: Ordering;
  readonly retry_policy: RetryPolicy;
  readonly payload: 'full' | 'thin';
  readonly header_names: string[];
  readonly headers_sealed: string | null;
  readonly timeout_ms: number;
  readonly max_in_flight: number;
  readonly signature_header: string | null;
  readonly status: 'active' | 'disabled';
  readonly disabled_reason: 'gone' | 'operator' | null;
  readonly disabled_at: Date | null;
  readonly created_at: Date;
  readonly updated_at: Date;
  /** Newest first. */
  readonly secrets: readonly StoredSecret[];
}

/** Times in ms since the epoch. */
export interface StoredSecret {
  readonly sealed: string;
  readonly created_at: number;
  /** Null for the current one. */
  readonly expires_at: number | null;
}

const DAY_MS = 86_400_000;

/** What the services need to know of an endpoint; secrets that have expired are not among it. */
export function toEndpointRecord(endpoint: StoredEndpoint, nowMs: number): EndpointRecord {
  const { id, version, tenant, url, event_types, ordering, retry_policy, payload } = endpoint;
  const { timeout_ms, max_in_flight, signature_header, headers_sealed, status } = endpoint;
  const secrets = validSecrets(endpoint, nowMs);
  return {
    v: 1,
    id,
    version,
    tenant,
    url,
    event_types,
    ordering,
    retry_policy: {
      ...retry_policy,
      delaysMs: [...retry_policy.delaysMs],
      permanentStatuses: [...retry_policy.permanentStatuses],
    },
    payload,
    timeout_ms,
    max_in_flight,
    signature_header,
    secrets,
    headers_sealed,
    enabled: status === 'active',
    paused: endpoint.paused_at !== null,
    breaker: endpoint.breaker_state,
    breaker_mode: endpoint.breaker_mode,
    max_per_second: endpoint.max_per_second,
    max_parked_age_s: endpoint.max_parked_age_s,
    max_parked: endpoint.max_parked,
  };
}

/** What a tenant sees. */
export function showEndpoint(endpoint: StoredEndpoint, nowMs: number): ShownEndpoint {
  const { id, tenant, url, event_types, ordering, payload, header_names, timeout_ms, max_in_flight } = endpoint;
  const { signature_header, description, status, disabled_reason, disabled_at, created_at, updated_at } = endpoint;
  return {
    id,
    tenant,
    url,
    event_types,
    ordering,
    retry_policy: showRetryPolicy(endpoint.retry_policy),
    payload,
    header_names,
    timeout_ms,
    max_in_flight,
    signature_header,
    description,
    ...showLimits(endpoint),
    status,
    disabled_reason,
    disabled_at: disabled_at?.toISOString() ?? null,
    created_at: created_at.toISOString(),
    updated_at: updated_at.toISOString(),
    secrets: validSecrets(endpoint, nowMs).map((secret) => ({
      created_at: new Date(secret.created_at).toISOString(),
      age_days: Math.floor((nowMs - secret.created_at) / DAY_MS),
      expires_at: secret.expires_at === null ? null : new Date(secret.expires_at).toISOString(),
    })),
  };
}

/** Those that sign at this time. */
export function validSecrets({ secrets }: StoredEndpoint, nowMs: number): StoredSecret[] {
  return secrets.filter(({ expires_at }) => expires_at === null || expires_at > nowMs);
}
