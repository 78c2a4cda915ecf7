import type { BreakerState } from '#common/domain/breaker.js';
import type { EndpointRow } from '#common/postgres/entities/endpoint.js';
import { announced, shownOptions, withinBreaker } from '#common/records/endpoint-option-shapes.js';
import {
  ATTEMPT_OPTIONS,
  BREAKER_OPTIONS,
  MESSAGE_OPTIONS,
  PARKING_OPTIONS,
  RATE_OPTIONS,
} from '#common/records/endpoint-options.js';
import type { EndpointRecord } from '#common/records/endpoint-record.js';
import type { ShownEndpoint } from './endpoint-schemas.js';

/** An endpoint as it is stored. Secrets and static headers are sealed. */
export interface StoredEndpoint extends EndpointRow {
  /** Newest first. */
  readonly secrets: readonly StoredSecret[];
  /** Of its health row. */
  readonly breaker_state: BreakerState;
}

/** Times in ms since the epoch. */
export interface StoredSecret {
  readonly sealed: string;
  readonly created_at: number;
  /** Null for the current one. */
  readonly expires_at: number | null;
}

const DAY_MS = 86_400_000;

/** The configuration of an endpoint for the other apps, without expired secrets. */
export function toEndpointRecord(endpoint: StoredEndpoint, nowMs: number): EndpointRecord {
  const { id, version, tenant, headers_sealed, status, paused_at, breaker_state } = endpoint;
  return {
    v: 1,
    id,
    version,
    tenant,
    ...announced(MESSAGE_OPTIONS, endpoint),
    ...announced(ATTEMPT_OPTIONS, endpoint),
    secrets: validSecrets(endpoint, nowMs),
    headers_sealed,
    enabled: status === 'active',
    paused: paused_at !== null,
    breaker: breaker_state,
    ...announced(BREAKER_OPTIONS, endpoint),
    ...announced(RATE_OPTIONS, endpoint),
    ...announced(PARKING_OPTIONS, endpoint),
  };
}

/** An endpoint as the API shows it. */
export function showEndpoint(endpoint: StoredEndpoint, nowMs: number): ShownEndpoint {
  const { id, tenant, header_names, status, disabled_reason, disabled_at, created_at, updated_at } = endpoint;
  return {
    id,
    tenant,
    ...shownOptions(MESSAGE_OPTIONS, endpoint),
    header_names,
    ...shownOptions(ATTEMPT_OPTIONS, endpoint),
    ...shownOptions(RATE_OPTIONS, endpoint),
    breaker: { state: endpoint.breaker_state, ...withinBreaker(shownOptions(BREAKER_OPTIONS, endpoint)) },
    ...shownOptions(PARKING_OPTIONS, endpoint),
    paused_at: endpoint.paused_at?.toISOString() ?? null,
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
