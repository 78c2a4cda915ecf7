import type { Queryable } from '#common/postgres/database.js';
import type { AttemptRecord } from '#common/records/attempt-record.js';
import { breakerSettings, type HealthChange, lockBreakers, storeHealth } from '../breakers/breaker-store.js';
import { type BreakerChange, runBreaker } from '../breakers/run-breaker.js';
import { announceChanges } from './breaker-changes.js';

/**
 * Applies a batch of attempts to their endpoints' health, in the transaction that stores them: no crash can count an
 * outcome twice or not at all.
 *
 * @param attempts each endpoint's in order
 * @param unseen those of them that were not stored before; a half-open breaker also counts the others
 * @returns the breakers' changes of state
 */
export async function recordHealth(
  tx: Queryable,
  attempts: readonly AttemptRecord[],
  unseen: ReadonlySet<AttemptRecord>,
): Promise<BreakerChange[]> {
  if (attempts.length === 0) return [];
  const byEndpoint = Map.groupBy(attempts, ({ endpoint_id }) => endpoint_id);
  const endpointIds = [...byEndpoint.keys()];
  const breakers = await lockBreakers(tx, endpointIds);
  const settings = await breakerSettings(tx, endpointIds);
  const now = Date.now();
  const results = [...byEndpoint].flatMap(([endpointId, ofOne]) => {
    const [before, own] = [breakers.get(endpointId), settings.get(endpointId)];
    if (before === undefined || own === undefined) return [];
    const events = ofOne.map((one) => outcomeOf(one, !unseen.has(one)));
    const counted = ofOne.filter((one) => unseen.has(one));
    return [{ endpointId, attempts: counted, ...runBreaker(endpointId, before, events, own, now) }];
  });
  await storeHealth(tx, results.map(healthChange));
  await countMinutes(tx, [...unseen]);
  const changes = results.flatMap((result) => result.changes);
  await announceChanges(tx, changes);
  return changes;
}

function healthChange({
  endpointId,
  attempts,
  breaker,
}: Pick<HealthChange, 'endpointId' | 'breaker'> & Told): HealthChange {
  let [success, failure] = [-Infinity, -Infinity];
  for (const { outcome, at } of attempts) {
    if (outcome === 'delivered') success = Math.max(success, at);
    else failure = Math.max(failure, at);
  }
  return { endpointId, breaker, lastSuccessAt: toDate(success), lastFailureAt: toDate(failure) };
}

interface Told {
  readonly attempts: readonly AttemptRecord[];
}

function toDate(ms: number): Date | undefined {
  return Number.isFinite(ms) ? new Date(ms) : undefined;
}

/** The breaker's event of one attempt. */
export function outcomeOf({ outcome, at }: AttemptRecord, isRepeat: boolean) {
  return { type: 'attempted', outcome, at, isRepeat } as const;
}

const MINUTE_MS = 60_000;

/** Attempts by endpoint and minute: the rates of the last hour are read from at most 61 rows. */
async function countMinutes(tx: Queryable, attempts: readonly AttemptRecord[]): Promise<void> {
  if (attempts.length === 0) return;
  const byEndpoint = Map.groupBy(attempts, ({ endpoint_id }) => endpoint_id);
  const rows = [...byEndpoint].flatMap(([endpointId, ofOne]) => {
    const byMinute = Map.groupBy(ofOne, ({ at }) => Math.floor(at / MINUTE_MS) * MINUTE_MS);
    return [...byMinute].map(([minute, attempts]) => ({ endpointId, minute: new Date(minute), attempts }));
  });
  await tx.query(
    `INSERT INTO endpoint_minutes AS m (endpoint_id, minute, attempts, delivered, duration_ms)
     SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::int[], $4::int[], $5::bigint[])
       AS i (endpoint_id, minute, attempts, delivered, duration_ms) ORDER BY endpoint_id, minute
     ON CONFLICT (endpoint_id, minute) DO UPDATE SET attempts = m.attempts + excluded.attempts,
       delivered = m.delivered + excluded.delivered, duration_ms = m.duration_ms + excluded.duration_ms`,
    [
      rows.map(({ endpointId }) => endpointId),
      rows.map(({ minute }) => minute),
      rows.map(({ attempts }) => attempts.length),
      rows.map(({ attempts }) => attempts.filter(({ outcome }) => outcome === 'delivered').length),
      rows.map(({ attempts }) => attempts.reduce((sum, { duration_ms }) => sum + duration_ms, 0)),
    ],
    'count-minutes',
  );
}
