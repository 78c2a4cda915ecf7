import type { Database } from './database.js';
import { rowOf } from './lane-statements.js';

/** How long a probe may take before another dispatcher may make one; above the longest timeout of an attempt. */
const PROBE_LEASE_S = 45;
/** As many lanes are woken at once, some kilobyte each; the oldest first, and the rest the next time. */
const MOST_LANES = 20_000;

/** Queries of a log's owner about parked deliveries: those beyond their limits, and those that may be a probe. */
export class LaneLimits {
  constructor(private readonly database: Database) {}

  /** Endpoints with parked rows in this log. */
  async parkedEndpoints(log: string): Promise<string[]> {
    // A loose index scan: one step an endpoint, however many rows there are.
    const rows = await this.database.query<{ endpoint_id: string }>(
      `WITH RECURSIVE found AS (
         (SELECT endpoint_id FROM parked_deliveries WHERE log = $1 ORDER BY endpoint_id LIMIT 1)
         UNION ALL
         SELECT (SELECT p.endpoint_id FROM parked_deliveries p
                 WHERE p.log = $1 AND p.endpoint_id > found.endpoint_id ORDER BY p.endpoint_id LIMIT 1)
         FROM found WHERE found.endpoint_id IS NOT NULL
       ) SELECT endpoint_id FROM found WHERE endpoint_id IS NOT NULL`,
      [log],
      'parked_endpoints',
    );
    return rows.map(({ endpoint_id }) => endpoint_id);
  }

  /**
   * Lanes whose front is to be given up, with the place up to which: parked longer than `maxAgeS`, or among the oldest of
   * an endpoint that has more than `maxCount` parked. It takes a second when a million are.
   */
  async beyond(
    endpointId: string,
    limit: { maxAgeS: number; maxCount: number },
  ): Promise<{ log: string; lane: string; place: number }[]> {
    return this.database.query<{ log: string; lane: string; place: number }>(
      `SELECT log, lane, max(place) AS place FROM (
         SELECT log, lane, place, parked_at FROM parked_deliveries
         WHERE endpoint_id = $1 AND parked_at <= now() - make_interval(secs => $2)
         UNION ALL
         (SELECT log, lane, place, parked_at FROM parked_deliveries
          WHERE endpoint_id = $1 ORDER BY parked_at DESC OFFSET $3)
       ) AS old GROUP BY log, lane ORDER BY min(parked_at) LIMIT $4`,
      [endpointId, limit.maxAgeS, limit.maxCount, MOST_LANES],
      'parked_beyond',
    );
  }

  /** A lane whose lowest parked row could be sent as a probe. */
  async probeCandidate(log: string, endpointId: string): Promise<{ lane: string }[]> {
    return this.database.query<{ lane: string }>(
      `SELECT p.lane FROM parked_deliveries p ${rowOf('p.lane')}
       WHERE p.log = $1 AND p.endpoint_id = $2 AND (r.attempt IS NULL OR r.place >= p.place)
       ORDER BY p.place LIMIT 1`,
      [log, endpointId],
      'parked_probe',
    );
  }

  /** @returns true for the one that may probe a half-open endpoint now, over all dispatchers */
  async takeProbe(endpointId: string): Promise<boolean> {
    const rows = await this.database.query<object>(
      `UPDATE endpoint_health SET probe_until = now() + make_interval(secs => $2)
       WHERE endpoint_id = $1 AND state = 'half_open' AND (probe_until IS NULL OR probe_until < now()) RETURNING 1`,
      [endpointId, PROBE_LEASE_S],
      'take_probe',
    );
    return rows.length > 0;
  }
}
