import { Inject, Injectable } from '@nestjs/common';
import type { EventToArchive } from '#common/postgres/archived-event.js';
import { Database, type Queryable } from '#common/postgres/database.js';
import { EVENT_COLUMN_LIST, EVENT_INPUT, eventParams } from '#common/postgres/event-columns.js';

/** `fresh`: not seen before. `redelivered`: seen at this very position. `duplicate`: seen at another one. */
export type Novelty = 'fresh' | 'redelivered' | 'duplicate';

/**
 * Keys are inserted in order, so that two routers that meet at the same ids cannot deadlock. A conflict with the same
 * source updates nothing but makes the row count as claimed; one with another source leaves it out.
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

/** Remembers every event, and which ids were seen: one statement for a whole batch. */
@Injectable()
export class EventArchive {
  constructor(@Inject(Database) private readonly database: Database) {}

  /**
   * Repeating it is harmless: what was stored already comes back as `redelivered`.
   *
   * @param batch no two with the same tenant and id
   * @returns in the order of the batch
   * @throws what Postgres throws, and then nothing is stored, or all of it
   */
  async store(batch: readonly EventToArchive[]): Promise<Novelty[]> {
    return batch.length === 0 ? [] : storeIn(this.database, batch);
  }

  /** Whether an event could be stored now; nothing of it is kept. @throws what Postgres throws */
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
