import type { Queryable } from '#common/postgres/database.js';
import type { BreakerChange } from '../breakers/run-breaker.js';
import type { StoredEndpoint } from '../endpoints/endpoint.js';
import { countVersionUp } from '../endpoints/endpoint.repository.js';
import { announceEndpoint } from '../endpoints/endpoint-announcement.js';
import { publishEndpointEvent } from '../outbox/operational-events.js';
import { audit } from '../shared/audit.js';

/**
 * Announces automatic changes of breakers to the other apps, the audit log and the tenant. Their health rows must be locked
 * and stored by this transaction.
 */
export async function announceChanges(tx: Queryable, changes: readonly BreakerChange[]): Promise<void> {
  for (const [endpointId, ofOne] of Map.groupBy(changes, (change) => change.endpointId)) {
    await countVersionUp(tx, endpointId);
    const endpoint = await announceEndpoint(tx, endpointId);
    if (endpoint === undefined) continue;
    for (const change of ofOne) await tell(tx, endpoint, change);
  }
}

/** A probe that fails is no news: the endpoint was disabled, and still is. */
async function tell(tx: Queryable, endpoint: StoredEndpoint, { from, to }: BreakerChange): Promise<void> {
  const { id: subject, tenant } = endpoint;
  const detail = { from: from.state, to: to.state, consecutive_dead: to.consecutiveDead, openings: to.openings };
  await audit(tx, { actor: 'system', tenant, action: `breaker.${to.state}`, subject, detail });
  if (from.state === 'closed') {
    const facts = { reason: 'breaker', consecutive_dead: to.consecutiveDead, next_probe_at: moment(to.halfOpenAt) };
    await publishEndpointEvent(tx, 'endpoint.disabled', endpoint, facts);
  }
  if (to.state === 'closed') await publishEndpointEvent(tx, 'endpoint.recovered', endpoint, { reason: 'probe' });
}

function moment(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
