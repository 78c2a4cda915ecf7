import { Injectable } from '@nestjs/common';
import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { ProblemError } from '#common/http/problem.js';
import { Database } from '#common/postgres/database.js';
import type { StoredHealth } from '../breakers/breaker-store.js';
import type { StoredEndpoint } from '../endpoints/endpoint.js';
import { findEndpoint } from '../endpoints/endpoint.repository.js';
import { visibleTenant } from '../shared/tenancy.js';
import type { EndpointHealth } from './health-schemas.js';

interface Parked {
  readonly deliveries: number;
  readonly oldest_at: Date | null;
}

interface LastHour {
  readonly attempts: number;
  readonly delivered: number;
  readonly duration_ms: number;
}

/** How an endpoint does. */
@Injectable()
export class HealthQueries {
  constructor(private readonly database: Database) {}

  /** @throws ProblemError NOT_FOUND, for another tenant's endpoint as well */
  async get(caller: AuthenticatedKey, id: string): Promise<EndpointHealth> {
    const endpoint = await findEndpoint(this.database, id, visibleTenant(caller, undefined));
    if (endpoint === undefined) throw new ProblemError('NOT_FOUND', 'there is no such endpoint');
    const [health] = await this.database.query<StoredHealth>('SELECT * FROM endpoint_health WHERE endpoint_id = $1', [
      id,
    ]);
    const [parked] = await this.database.query<Parked>(
      'SELECT count(*) AS deliveries, min(parked_at) AS oldest_at FROM parked_deliveries WHERE endpoint_id = $1',
      [id],
    );
    const [lastHour] = await this.database.query<LastHour>(
      `SELECT coalesce(sum(attempts), 0)::bigint AS attempts, coalesce(sum(delivered), 0)::bigint AS delivered,
         coalesce(sum(duration_ms), 0)::bigint AS duration_ms
       FROM endpoint_minutes WHERE endpoint_id = $1 AND minute > now() - interval '1 hour'`,
      [id],
    );
    return {
      endpoint_id: id,
      status: endpoint.status,
      paused_at: endpoint.paused_at?.toISOString() ?? null,
      breaker: showBreaker(endpoint, health),
      last_success_at: health?.last_success_at?.toISOString() ?? null,
      last_failure_at: health?.last_failure_at?.toISOString() ?? null,
      parked: showParked(parked, Date.now()),
      last_hour: showLastHour(lastHour),
    };
  }
}

function showBreaker(endpoint: StoredEndpoint, health: StoredHealth | undefined): EndpointHealth['breaker'] {
  return {
    state: health?.state ?? 'closed',
    mode: endpoint.breaker_mode,
    consecutive_dead: health?.consecutive_dead ?? 0,
    threshold: endpoint.breaker_threshold,
    openings: health?.openings ?? 0,
    opened_at: health?.opened_at?.toISOString() ?? null,
    next_probe_at: nextProbe(health)?.toISOString() ?? null,
  };
}

/** A half-open breaker lets one waiting or new delivery through at once; with a probe in flight, the next one after it. */
function nextProbe(health: StoredHealth | undefined): Date | null {
  if (health === undefined || health.state === 'closed') return null;
  if (health.state === 'open') return health.half_open_at;
  return health.probe_until ?? health.half_open_at;
}

function showParked(parked: Parked | undefined, nowMs: number): EndpointHealth['parked'] {
  const oldest = parked?.oldest_at ?? null;
  return {
    deliveries: parked?.deliveries ?? 0,
    oldest_at: oldest?.toISOString() ?? null,
    oldest_age_s: oldest === null ? null : Math.max(0, Math.round((nowMs - oldest.getTime()) / 1_000)),
  };
}

function showLastHour(lastHour: LastHour | undefined): EndpointHealth['last_hour'] {
  const { attempts = 0, delivered = 0, duration_ms = 0 } = lastHour ?? {};
  return {
    attempts,
    delivered,
    success_rate: attempts === 0 ? null : delivered / attempts,
    mean_duration_ms: attempts === 0 ? null : Math.round(duration_ms / attempts),
  };
}
