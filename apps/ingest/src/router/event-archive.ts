import { Injectable } from '@nestjs/common';
import type { EventToArchive } from '#common/postgres/archived-event.js';
import { Database, type Queryable } from '#common/postgres/database.js';
import { EVENT_COLUMN_LIST, EVENT_INPUT, eventParams } from '#common/postgres/event-columns.js';

/** `fresh`: the id is new. `redelivered`: known from the same position. `duplicate`: known from another position. */
export type Novelty = 'fresh' | 'redelivered' | 'duplicate';

/**
 * Keys are inserted in order, so that two routers with the same ids cannot deadlock. After a conflict with
 * the same source, the statement returns the row as claimed, unchanged. A conflict with another source leaves the row
 * out.
 */
const ARCHIVE = `
WITH input AS MATERIALIZED (
  ${EVENT_INPUT}
), claimed AS (
  INSERT INTO event_keys AS known (tenant, event_id, source_partition, source_offset, accepted_at)
  SELECT tenant, id, source_partition, source_offset, accepted_at FROM input ORDER BY tenant, id
  ON CONFLICT (tenant, event_id) DO UPDATE SET accepted_at = known.accepted_at
    WHERE known.source_partition = excluded.source_partition AND known.source_offset = excluded.source_offset
  RETURNING known.tenant AS claimed_tenant, known.event_id AS claimed_id, known.xmax = 0 AS is_fresh
), archived AS (
  INSERT INTO events AS known (${EVENT_COLUMN_LIST})
  SELECT ${EVENT_COLUMN_LIST} FROM input JOIN claimed ON claimed_tenant = tenant AND claimed_id = id ORDER BY tenant, id
  ON CONFLICT (accepted_at, tenant, id) DO UPDATE
    SET endpoint_ids = ARRAY(SELECT unnest(known.endpoint_ids) UNION SELECT unnest(excluded.endpoint_ids))
)
SELECT place, claimed_tenant IS NULL AS is_duplicate
FROM input LEFT JOIN claimed ON claimed_tenant = tenant AND claimed_id = id
WHERE is_fresh IS NOT TRUE`;

/** Stores events and their ids, one statement per batch, and finds duplicates. */
@Injectable()
export class EventArchive {
  constructor(private readonly database: Database) {}

  /**
   * Stores a batch. Idempotent: events stored earlier are `redelivered`.
   *
   * @param batch no two events have the same tenant and id
   * @returns novelties in the order of the batch
   * @throws PostgreSQL's errors; then the whole batch is stored, or none of it
   */
  async store(batch: readonly EventToArchive[]): Promise<Novelty[]> {
    return batch.length === 0 ? [] : storeIn(this.database, batch);
  }

  /** Stores an event in a transaction that is rolled back. @throws PostgreSQL's error when it rejects the event */
  async rehearse(event: EventToArchive): Promise<void> {
    await this.database.rehearse((tx) => storeIn(tx, [event]));
  }
}

async function storeIn(on: Queryable, batch: readonly EventToArchive[]): Promise<Novelty[]> {
  const novelties = batch.map((): Novelty => 'fresh');
  const rows = await on.query<{ place: number; is_duplicate: boolean }>(ARCHIVE, eventParams(batch), 'archive');
  for (const { place, is_duplicate } of rows) novelties[place - 1] = is_duplicate ? 'duplicate' : 'redelivered';
  return novelties;
}
