import { Injectable } from '@nestjs/common';
import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { ProblemError } from '#common/http/problem.js';
import { Database, type Queryable } from '#common/postgres/database.js';
import type { AttemptRecord } from '#common/records/attempt-record.js';
import { Conditions } from '../shared/conditions.js';
import { decodeCursor, type Page, type Position, toPage } from '../shared/paging.js';
import { visibleTenant } from '../shared/tenancy.js';
import type { DeliveryFilter, DetailedDelivery, ShownDelivery } from './delivery-schemas.js';
import type { FoundDelivery, Search } from './found-delivery.js';
import { markParked, parkedDeliveries } from './parked-deliveries.js';

const COLUMNS =
  'id, accepted_at, tenant, event_id, event_type, endpoint_id, status, replay, dead_reason, next_attempt_at';

/** Period of a search for pending deliveries that has no `since`. */
const PENDING_WINDOW_MS = 24 * 3_600_000;
/** Number of newest events among which a pending delivery is searched by its id. The id is a hash, so each must be tried. */
const PENDING_SEARCH_EVENTS = 50_000;

/** Deliveries that were fanned out and have no row, because nothing was attempted yet (events minus deliveries). */
const PENDING = `
  FROM events e CROSS JOIN LATERAL unnest(e.endpoint_ids) AS x(endpoint_id)
  CROSS JOIN LATERAL (SELECT delivery_id(e.tenant, e.id, x.endpoint_id) AS id) k
  WHERE NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = k.id AND d.accepted_at = e.accepted_at)`;
const PENDING_COLUMNS = `k.id, e.accepted_at, e.tenant, e.id AS event_id, e.type AS event_type, x.endpoint_id,
  'pending' AS status, 0 AS replay, NULL AS dead_reason, NULL::timestamptz AS next_attempt_at`;

/** Reads deliveries with their status and attempts. */
@Injectable()
export class DeliveryQueries {
  constructor(private readonly database: Database) {}

  async list(caller: AuthenticatedKey, filter: DeliveryFilter): Promise<Page<ShownDelivery>> {
    const search: Search = {
      ...filter,
      tenant: visibleTenant(caller, filter.tenant),
      before: decodeCursor(filter.cursor, 1),
      limit: filter.limit + 1,
    };
    const rows = await this.search(search);
    const shown = await markParked(this.database, rows.slice(0, filter.limit));
    const attempts = await attemptsOf(this.database, shown);
    return toPage(
      [...shown, ...rows.slice(filter.limit)],
      filter.limit,
      (row) => ({ ...showDelivery(row), attempts: (attempts.get(row.id) ?? []).map(showAttempt) }),
      ({ accepted_at, id }) => ({ at: accepted_at, key: [id] }),
    );
  }

  /** @throws ProblemError NOT_FOUND */
  async get(caller: AuthenticatedKey, id: string): Promise<DetailedDelivery> {
    const delivery = await findDelivery(this.database, id, visibleTenant(caller, undefined));
    const attempts = await attemptsOf(this.database, [delivery]);
    return { ...showDelivery(delivery), attempts: (attempts.get(id) ?? []).map(showAttemptInDetail) };
  }

  /** Rows first; then pending deliveries, no older than the oldest row of the page. */
  private async search(search: Search): Promise<FoundDelivery[]> {
    if (search.status === 'parked') return parkedDeliveries(this.database, search);
    if (search.status !== undefined && search.status !== 'pending') return storedDeliveries(this.database, search);
    const stored = await storedDeliveries(this.database, search);
    const oldest = stored.length < search.limit ? undefined : stored.at(-1)?.accepted_at;
    const pending = await pendingDeliveries(this.database, search, pendingSince(search, oldest));
    return [...stored, ...pending].sort(newestFirst).slice(0, search.limit);
  }
}

function pendingSince({ since, until, event_id }: Search, oldestStored: Date | undefined): Date | undefined {
  const asked = since === undefined ? undefined : new Date(since);
  if (oldestStored !== undefined) return asked !== undefined && asked > oldestStored ? asked : oldestStored;
  if (asked !== undefined || event_id !== undefined) return asked;
  const end = until === undefined ? Date.now() : Math.min(Date.now(), Date.parse(until));
  return new Date(end - PENDING_WINDOW_MS);
}

async function storedDeliveries(db: Queryable, search: Search): Promise<FoundDelivery[]> {
  const conditions = new Conditions()
    .add('tenant = ?', search.tenant)
    .add('endpoint_id = ?', search.endpoint_id)
    .add('status = ?', search.status)
    .add(NOT_PARKED('deliveries.id'), ...onlyIfUnderWay(search))
    .add('event_type = ?', search.type)
    .add('accepted_at >= ?', search.since)
    .add('accepted_at < ?', search.until)
    .add('(accepted_at, id) < (?, ?)', search.before?.at, search.before?.key[0])
    // By the ids of the event's deliveries, which the primary key finds; and by the requested event id.
    .add(
      `event_id = ? AND (id, accepted_at) IN (SELECT delivery_id(e.tenant, e.id, x), e.accepted_at
         FROM events e, unnest(e.endpoint_ids) x WHERE e.id = ?)`,
      search.event_id,
      search.event_id,
    );
  return db.query<FoundDelivery>(
    `SELECT ${COLUMNS} FROM deliveries WHERE ${conditions.sql}
     ORDER BY accepted_at DESC, id DESC LIMIT ${conditions.param(search.limit)}`,
    conditions.params,
  );
}

async function pendingDeliveries(db: Queryable, search: Search, since: Date | undefined): Promise<FoundDelivery[]> {
  const conditions = new Conditions()
    .add('e.tenant = ?', search.tenant)
    .add('e.id = ?', search.event_id)
    .add('x.endpoint_id = ?', search.endpoint_id)
    .add('e.type = ?', search.type)
    .add('e.accepted_at >= ?', since)
    .add('e.accepted_at < ?', search.until)
    .add(NOT_PARKED('k.id'), ...onlyIfUnderWay(search))
    .add('e.accepted_at <= ? AND (e.accepted_at, k.id) < (?, ?)', ...beforeParams(search.before));
  return db.query<FoundDelivery>(
    `SELECT ${PENDING_COLUMNS} ${PENDING} AND ${conditions.sql}
     ORDER BY e.accepted_at DESC, k.id DESC LIMIT ${conditions.param(search.limit)}`,
    conditions.params,
  );
}

const NOT_PARKED = (id: string) =>
  `?::boolean AND NOT EXISTS (SELECT FROM parked_deliveries p WHERE p.delivery_id = ${id})`;

/** A search for pending or retrying deliveries excludes parked ones. */
function onlyIfUnderWay({ status }: Search): unknown[] {
  return [status === 'pending' || status === 'retrying' ? true : undefined];
}

function beforeParams(before: Position | undefined): unknown[] {
  return before === undefined ? [] : [before.at, before.at, before.key[0]];
}

/** @param tenant undefined for any @throws ProblemError NOT_FOUND */
export async function findDelivery(db: Queryable, id: string, tenant: string | undefined): Promise<FoundDelivery> {
  const conditions = new Conditions().add('id = ?', id).add('tenant = ?', tenant);
  const stored = await db.query<FoundDelivery>(
    `SELECT ${COLUMNS} FROM deliveries WHERE ${conditions.sql} ORDER BY accepted_at DESC LIMIT 1`,
    conditions.params,
  );
  const delivery = stored[0] ?? (await findPending(db, id, tenant));
  if (delivery === undefined) throw new ProblemError('NOT_FOUND', 'there is no such delivery');
  const [marked = delivery] = await markParked(db, [delivery]);
  return marked;
}

async function findPending(db: Queryable, id: string, tenant: string | undefined): Promise<FoundDelivery | undefined> {
  const newest = new Conditions().add('tenant = ?', tenant);
  const limit = newest.param(PENDING_SEARCH_EVENTS);
  const [delivery] = await db.query<FoundDelivery>(
    `SELECT ${PENDING_COLUMNS}
     FROM (SELECT * FROM events WHERE ${newest.sql} ORDER BY accepted_at DESC LIMIT ${limit}) e
     CROSS JOIN LATERAL unnest(e.endpoint_ids) AS x(endpoint_id)
     CROSS JOIN LATERAL (SELECT delivery_id(e.tenant, e.id, x.endpoint_id) AS id) k
     WHERE k.id = ${newest.param(id)} LIMIT 1`,
    newest.params,
  );
  return delivery;
}

/** Row of `delivery_attempts`, as far as it is shown. */
interface AttemptRow
  extends Pick<AttemptRecord, 'delivery_id' | 'replay' | 'attempt' | 'duration_ms' | 'status_code' | 'error'>,
    Pick<AttemptRecord, 'error_detail' | 'outcome' | 'response_body'> {
  readonly at: Date;
}

/** @returns attempts by delivery id, oldest first */
async function attemptsOf(db: Queryable, deliveries: readonly FoundDelivery[]): Promise<Map<string, AttemptRow[]>> {
  const attempted = deliveries.filter(({ status, replay }) => status !== 'pending' || replay > 0);
  if (attempted.length === 0) return new Map();
  const rows = await db.query<AttemptRow>(
    `SELECT * FROM delivery_attempts
     WHERE (delivery_id, accepted_at) IN (SELECT * FROM unnest($1::text[], $2::timestamptz[]))
     ORDER BY replay, attempt`,
    [attempted.map(({ id }) => id), attempted.map(({ accepted_at }) => accepted_at)],
  );
  return Map.groupBy(rows, ({ delivery_id }) => delivery_id);
}

function newestFirst(a: FoundDelivery, b: FoundDelivery): number {
  return b.accepted_at.getTime() - a.accepted_at.getTime() || (a.id < b.id ? 1 : -1);
}

function showDelivery(row: FoundDelivery): Omit<ShownDelivery, 'attempts'> {
  const { id, event_id, endpoint_id, status, tenant, event_type, replay, dead_reason } = row;
  return {
    id,
    event_id,
    endpoint_id,
    status,
    next_attempt_at: row.next_attempt_at?.toISOString() ?? null,
    tenant,
    event_type,
    accepted_at: row.accepted_at.toISOString(),
    replay,
    dead_reason,
  };
}

function showAttempt({ at, status_code, duration_ms, error }: AttemptRow): ShownDelivery['attempts'][number] {
  return { at: at.toISOString(), status_code, duration_ms, error };
}

function showAttemptInDetail(row: AttemptRow): DetailedDelivery['attempts'][number] {
  const { replay, attempt, outcome, error_detail } = row;
  return {
    ...showAttempt(row),
    replay,
    attempt,
    outcome,
    error_detail,
    response_body: row.response_body?.toString() ?? null,
  };
}
