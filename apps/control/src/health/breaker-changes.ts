import { type Breaker, type BreakerEvent, type BreakerSettings, stepBreaker } from '#common/domain/breaker.js';
import type { Queryable } from '#common/postgres/database.js';
import type { StoredEndpoint } from '../endpoints/endpoint.js';
import { countVersionUp } from '../endpoints/endpoint.repository.js';
import { announceEndpoint } from '../endpoints/endpoint-announcement.js';
import { publishEndpointEvent } from '../outbox/operational-events.js';
import { audit } from '../shared/audit.js';
import { breakerSettings, lockBreakers, storeHealth } from './breaker-store.js';

/** A breaker that has changed its state. */
export interface BreakerChange {
  readonly endpointId: string;
  readonly from: Breaker;
  readonly to: Breaker;
}

/** @returns the breaker after all events, and every change of state on the way */
export function runBreaker(
  endpointId: string,
  breaker: Breaker,
  events: readonly BreakerEvent[],
  settings: BreakerSettings,
  now: number,
): { breaker: Breaker; changes: BreakerChange[] } {
  const changes: BreakerChange[] = [];
  let current = breaker;
  for (const event of events) {
    const next = stepBreaker(current, event, settings, now);
    if (next.state !== current.state) changes.push({ endpointId, from: current, to: next });
    current = next;
  }
  return { breaker: current, changes };
}

/**
 * Tells the services, the audit log and the tenant of changes that nobody asked for. Their health rows must be locked
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

/**
 * Applies what an operator did to an endpoint's breaker. The caller holds its rows, and announces it.
 *
 * @returns the change of state, if there was one
 */
export async function changeBreaker(
  tx: Queryable,
  endpointId: string,
  event: BreakerEvent,
): Promise<BreakerChange | undefined> {
  const breaker = (await lockBreakers(tx, [endpointId])).get(endpointId);
  const settings = (await breakerSettings(tx, [endpointId])).get(endpointId);
  if (breaker === undefined || settings === undefined) return undefined;
  const after = runBreaker(endpointId, breaker, [event], settings, Date.now());
  await storeHealth(tx, [{ endpointId, breaker: after.breaker, lastSuccessAt: undefined, lastFailureAt: undefined }]);
  return after.changes[0];
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
