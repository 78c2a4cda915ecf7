import { Injectable } from '@nestjs/common';
import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { DEAD_REASONS, type DeadReason } from '#common/domain/verdict.js';
import { ProblemError } from '#common/http/problem.js';
import { Database, type Queryable } from '#common/postgres/database.js';
import { namedHeaders, type StoredHeaders } from '#common/records/stored-headers.js';
import { Conditions } from '../shared/conditions.js';
import { decodeCursor, type Page, toPage } from '../shared/paging.js';
import { visibleTenant } from '../shared/tenancy.js';
import type { DeadLetterFilter, DeadLetterStats, DetailedDeadLetter, ShownDeadLetter } from './dead-letter-schemas.js';

interface DeadLetterRow {
  readonly id: string;
  readonly reason: DeadReason;
  readonly detail: string | null;
  readonly last_status_code: number | null;
  readonly last_error: string | null;
  readonly dead_at: Date;
  readonly source: string;
  readonly tenant: string | null;
  readonly endpoint_id: string | null;
  readonly event_id: string | null;
  readonly event_type: string | null;
  readonly delivery_id: string | null;
  readonly replayed_at: Date | null;
}

/** A dead letter with its record as it was. */
export interface WholeDeadLetter extends DeadLetterRow {
  readonly accepted_at: Date | null;
  readonly replay: number | null;
  readonly dlq_partition: number;
  readonly dlq_offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: StoredHeaders;
}

const COLUMNS = `id, reason, detail, last_status_code, last_error, dead_at, source, tenant, endpoint_id, event_id,
  event_type, delivery_id, replayed_at`;

/** Deliveries that were given up, and records that never became one. A tenant sees its own; the latter have no tenant. */
@Injectable()
export class DeadLetterQueries {
  constructor(private readonly database: Database) {}

  async list(caller: AuthenticatedKey, filter: DeadLetterFilter): Promise<Page<ShownDeadLetter>> {
    const before = decodeCursor(filter.cursor, 1);
    const conditions = new Conditions()
      .add('tenant = ?', visibleTenant(caller, filter.tenant))
      .add('reason = ?', filter.reason)
      .add('endpoint_id = ?', filter.endpoint_id)
      .add('(replayed_at IS NOT NULL) = ?', filter.replayed)
      .add('dead_at >= ?', filter.since)
      .add('dead_at < ?', filter.until)
      .add('(dead_at, id) < (?, ?)', before?.at, before?.key[0]);
    const rows = await this.database.query<DeadLetterRow>(
      `SELECT ${COLUMNS} FROM dead_letters WHERE ${conditions.sql}
       ORDER BY dead_at DESC, id DESC LIMIT ${conditions.param(filter.limit + 1)}`,
      conditions.params,
    );
    return toPage(rows, filter.limit, showDeadLetter, ({ dead_at, id }) => ({ at: dead_at, key: [id] }));
  }

  /** Numbers of dead letters by reason: all, and those not replayed. */
  async stats(
    caller: AuthenticatedKey,
    filter: { tenant?: string | undefined; endpoint_id?: string | undefined },
  ): Promise<DeadLetterStats> {
    const conditions = new Conditions()
      .add('tenant = ?', visibleTenant(caller, filter.tenant))
      .add('endpoint_id = ?', filter.endpoint_id);
    const rows = await this.database.query<{ reason: DeadReason; total: number; pending: number }>(
      `SELECT reason, count(*) AS total, count(*) FILTER (WHERE replayed_at IS NULL) AS pending
       FROM dead_letters WHERE ${conditions.sql} GROUP BY reason`,
      conditions.params,
    );
    const countOf = (reason: DeadReason) => {
      const row = rows.find((candidate) => candidate.reason === reason);
      return { total: row?.total ?? 0, pending: row?.pending ?? 0 };
    };
    return {
      total: rows.reduce((sum, { total }) => sum + total, 0),
      pending: rows.reduce((sum, { pending }) => sum + pending, 0),
      reasons: Object.fromEntries(
        DEAD_REASONS.map((reason) => [reason, countOf(reason)]),
      ) as DeadLetterStats['reasons'],
    };
  }

  /** @throws ProblemError NOT_FOUND */
  async get(caller: AuthenticatedKey, id: string): Promise<DetailedDeadLetter> {
    const row = await findDeadLetter(this.database, id, visibleTenant(caller, undefined));
    return {
      ...showDeadLetter(row),
      dlq_partition: row.dlq_partition,
      dlq_offset: row.dlq_offset,
      key_base64: row.key?.toString('base64') ?? null,
      value_base64: row.value?.toString('base64') ?? null,
      headers_base64: namedHeaders(row.headers),
    };
  }
}

/** @param tenant undefined for any @param options.lock holds the row until the transaction ends @throws ProblemError NOT_FOUND */
export async function findDeadLetter(
  db: Queryable,
  id: string,
  tenant: string | undefined,
  options: { lock?: boolean } = {},
): Promise<WholeDeadLetter> {
  const conditions = new Conditions().add('id = ?', id).add('tenant = ?', tenant);
  const [row] = await db.query<WholeDeadLetter>(
    `SELECT * FROM dead_letters WHERE ${conditions.sql} ${options.lock ? 'FOR UPDATE' : ''}`,
    conditions.params,
  );
  if (row === undefined) throw new ProblemError('NOT_FOUND', 'there is no such dead letter');
  return row;
}

function showDeadLetter(row: DeadLetterRow): ShownDeadLetter {
  const { id, reason, detail, last_status_code, last_error, source, tenant } = row;
  const { endpoint_id, event_id, event_type, delivery_id } = row;
  return {
    id,
    reason,
    detail,
    at: row.dead_at.toISOString(),
    last_status_code,
    last_error,
    source,
    tenant,
    endpoint_id,
    event_id,
    event_type,
    delivery_id,
    replayed_at: row.replayed_at?.toISOString() ?? null,
  };
}
