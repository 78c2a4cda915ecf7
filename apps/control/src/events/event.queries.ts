import { Injectable } from '@nestjs/common';
import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { ProblemError } from '#common/http/problem.js';
import { Database } from '#common/postgres/database.js';
import { type ListedEventRow, SHOWN_COLUMN_LIST, showEventColumns } from '#common/postgres/event-columns.js';
import { Conditions } from '../shared/conditions.js';
import { decodeCursor, type Page, toPage } from '../shared/paging.js';
import { visibleTenant } from '../shared/tenancy.js';
import type { EventFilter, ListedEvent } from './event-schemas.js';

/** The archive of events. */
@Injectable()
export class EventQueries {
  constructor(private readonly database: Database) {}

  async list(caller: AuthenticatedKey, filter: EventFilter): Promise<Page<ListedEvent>> {
    const before = decodeCursor(filter.cursor, 2);
    const conditions = new Conditions()
      .add('tenant = ?', visibleTenant(caller, filter.tenant))
      .add('type = ?', filter.type)
      .add('resource_id = ?', filter.resource_id)
      .add('accepted_at >= ?', filter.since)
      .add('accepted_at < ?', filter.until)
      .add('(accepted_at, tenant, id) < (?, ?, ?)', before?.at, before?.key[0], before?.key[1]);
    const rows = await this.database.query<ListedEventRow>(
      `SELECT ${SHOWN_COLUMN_LIST} FROM events WHERE ${conditions.sql}
       ORDER BY accepted_at DESC, tenant DESC, id DESC LIMIT ${conditions.param(filter.limit + 1)}`,
      conditions.params,
    );
    return toPage(rows, filter.limit, showEventColumns, ({ accepted_at, tenant, id }) => ({
      at: accepted_at,
      key: [tenant, id],
    }));
  }

  /**
   * The event as JSON text, its data as the producer wrote them: V8 parses any depth of nesting, and writes only some
   * thousand levels.
   *
   * @returns text that fits `eventSchema`
   * @throws ProblemError NOT_FOUND; CONFLICT when several tenants have the id and none is named
   */
  async get(caller: AuthenticatedKey, id: string, tenant: string | undefined): Promise<string> {
    const conditions = new Conditions().add('id = ?', id).add('tenant = ?', visibleTenant(caller, tenant));
    const rows = await this.database.query<ListedEventRow & { data: string }>(
      `SELECT DISTINCT ON (tenant) ${SHOWN_COLUMN_LIST}, data FROM events WHERE ${conditions.sql}
       ORDER BY tenant, accepted_at DESC LIMIT 2`,
      conditions.params,
    );
    const [event, another] = rows;
    if (event === undefined) throw new ProblemError('NOT_FOUND', 'there is no such event');
    if (another !== undefined) throw new ProblemError('CONFLICT', 'several tenants have an event of this id; name one');
    return `${JSON.stringify(showEventColumns(event)).slice(0, -1)},"data":${event.data}}`;
  }
}
