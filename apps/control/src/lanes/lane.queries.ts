import { Injectable } from '@nestjs/common';
import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { ProblemError } from '#common/http/problem.js';
import { Database, type Queryable } from '#common/postgres/database.js';
import type { StoredEndpoint } from '../endpoints/endpoint.js';
import { findEndpoint } from '../endpoints/endpoint.repository.js';
import { decodeCursor, type Page, type Position, toPage } from '../shared/paging.js';
import { visibleTenant } from '../shared/tenancy.js';
import { encodeLaneId } from './lane-id.js';
import type { LaneFilter, ShownLane } from './lane-schemas.js';

interface LaneRow {
  readonly log: string;
  readonly lane: string;
  readonly attempt: number | null;
  readonly due_at: Date | null;
  readonly head_id: string | null;
  readonly parked: number;
  readonly oldest_at: Date | null;
  readonly first_id: string | null;
  readonly first_reason: string | null;
}

/** Lanes are listed by name, which stays, not by time, which changes while they drain. */
const NO_TIME = new Date(0);

/** Lanes whose deliveries wait. */
@Injectable()
export class LaneQueries {
  constructor(private readonly database: Database) {}

  /** @throws ProblemError NOT_FOUND when there is no such endpoint, or it is another tenant's */
  async list(caller: AuthenticatedKey, filter: LaneFilter): Promise<Page<ShownLane>> {
    const endpoint = await findEndpoint(this.database, filter.endpoint_id, visibleTenant(caller, undefined));
    if (endpoint === undefined) throw new ProblemError('NOT_FOUND', 'there is no such endpoint');
    const after = decodeCursor(filter.cursor, 2);
    const rows = await parkedLanes(this.database, endpoint.id, after, filter.limit + 1);
    const now = Date.now();
    return toPage(
      rows,
      filter.limit,
      (row) => showLane(row, endpoint, now),
      ({ lane, log }) => ({ at: NO_TIME, key: [lane, log] }),
    );
  }
}

/** Counts all parked rows of the endpoint by an index. Other columns of a lane are looked up for the page only. */
async function parkedLanes(
  db: Queryable,
  endpointId: string,
  after: Position | undefined,
  limit: number,
): Promise<LaneRow[]> {
  return db.query<LaneRow>(
    `WITH heads AS (
       SELECT log, lane, attempt, due_at, delivery_id FROM lane_rows WHERE endpoint_id = $1 AND attempt IS NOT NULL
     ), waiting AS (
       SELECT log, lane, count(*) AS parked, min(parked_at) AS oldest_at FROM parked_deliveries
       WHERE endpoint_id = $1 GROUP BY log, lane
     ), page AS (
       SELECT log, lane, attempt, due_at, delivery_id AS head_id, coalesce(parked, 0) AS parked, oldest_at
       FROM heads FULL JOIN waiting USING (log, lane)
       WHERE (lane, log) > ($2, $3) ORDER BY lane, log LIMIT $4
     )
     SELECT page.*, first.delivery_id AS first_id, first.reason AS first_reason FROM page
     LEFT JOIN LATERAL (
       SELECT delivery_id, reason FROM parked_deliveries p WHERE p.log = page.log AND p.lane = page.lane
       ORDER BY p.place LIMIT 1
     ) first ON true
     ORDER BY page.lane, page.log`,
    [endpointId, after?.key[0] ?? '', after?.key[1] ?? '', limit],
  );
}

function showLane(row: LaneRow, endpoint: StoredEndpoint, nowMs: number): ShownLane {
  const { log, lane, attempt, due_at, head_id, parked, oldest_at } = row;
  const isHeadNamed = attempt !== null && head_id !== null;
  return {
    id: encodeLaneId({ log, lane }),
    endpoint_id: endpoint.id,
    lane,
    reason: reasonOf(row, endpoint),
    head: isHeadNamed ? { delivery_id: head_id, attempt, next_attempt_at: due_at?.toISOString() ?? null } : null,
    parked,
    first_parked_delivery_id: row.first_id,
    oldest_parked_at: oldest_at?.toISOString() ?? null,
    oldest_parked_age_s: oldest_at === null ? null : Math.max(0, Math.round((nowMs - oldest_at.getTime()) / 1_000)),
  };
}

/** The present hold. The first row's reason counts only where no table has one: a slow endpoint, a missing key. */
function reasonOf(row: LaneRow, endpoint: StoredEndpoint): ShownLane['reason'] {
  if (endpoint.paused_at !== null) return 'paused';
  if (endpoint.breaker_state !== 'closed' && endpoint.breaker_mode !== 'discard') return 'breaker';
  if (row.attempt !== null) return 'head';
  const { first_reason } = row;
  return first_reason === 'slow' || first_reason === 'key_missing' ? first_reason : 'draining';
}
