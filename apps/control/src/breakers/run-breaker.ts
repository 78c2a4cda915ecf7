import { type Breaker, type BreakerEvent, type BreakerSettings, stepBreaker } from '#common/domain/breaker.js';
import type { Queryable } from '#common/postgres/database.js';
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
 * Applies an operator's act to an endpoint's breaker. The caller has locked its rows, and announces the change.
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
