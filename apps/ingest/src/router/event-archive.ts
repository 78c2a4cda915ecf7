import { Injectable } from '@nestjs/common';
import { joinedColumn, timeOf, unnestColumns } from '#common/postgres/array-parameters.js';
import { Database, type Queryable } from '#common/postgres/database.js';
import type { AcceptedEvent } from './fan-out.js';

export interface ArchiveEntry {
  readonly event: AcceptedEvent;
  /** ms since the epoch. */
  readonly occurredAtMs: number;
  /** Endpoints that take the event. */
  readonly endpointIds: readonly string[];
}

/** `fresh`: the id is new. `redelivered`: known from the same position. `duplicate`: known from another position. */
export type Novelty = 'fresh' | 'redelivered' | 'duplicate';

/** Ids are printable, and JSON text has no raw control characters but white space: no column contains it. */
const SEPARATOR = '\x1e';

/**
 * Keys are inserted in order, so that two routers with the same ids cannot deadlock. After a conflict with
 * the same source, the statement returns the row as claimed, unchanged. A conflict with another source leaves the row
 * out.
 */
const ARCHIVE = `
WITH input AS MATERIALIZED (
  SELECT ordinality::int AS place, tenant, id, type, resource_id,
    ${timeOf('occurred_ms')} AS occurred_at, ${timeOf('accepted_ms')} AS accepted_at,
    source_partition::int, source_offset::bigint, coalesce(string_to_array(endpoint_ids, ','), '{}') AS endpoint_ids, data
  FROM ${unnestColumns(10, SEPARATOR)} WITH ORDINALITY
    AS columns(tenant, id, type, resource_id, occurred_ms, accepted_ms, source_partition, source_offset, endpoint_ids,
      data, ordinality)
), claimed AS (
  INSERT INTO event_keys AS known (tenant, event_id, source_partition, source_offset, accepted_at)
  SELECT tenant, id, source_partition, source_offset, accepted_at FROM input ORDER BY tenant, id
  ON CONFLICT (tenant, event_id) DO UPDATE SET accepted_at = known.accepted_at
    WHERE known.source_partition = excluded.source_partition AND known.source_offset = excluded.source_offset
  RETURNING known.tenant, known.event_id, known.xmax = 0 AS is_fresh
), archived AS (
  INSERT INTO events AS known (tenant, id, type, resource_id, occurred_at, accepted_at, source_partition, source_offset,
    endpoint_ids, data)
  SELECT input.tenant, id, type, resource_id, occurred_at, accepted_at, source_partition, source_offset, endpoint_ids,
    data
  FROM input JOIN claimed ON claimed.tenant = input.tenant AND claimed.event_id = input.id ORDER BY input.tenant, id
  ON CONFLICT (accepted_at, tenant, id) DO UPDATE
    SET endpoint_ids = ARRAY(SELECT unnest(known.endpoint_ids) UNION SELECT unnest(excluded.endpoint_ids))
)
SELECT place, claimed.tenant IS NULL AS is_duplicate
FROM input LEFT JOIN claimed ON claimed.tenant = input.tenant AND claimed.event_id = input.id
WHERE claimed.is_fresh IS NOT TRUE`;

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
  async store(batch: readonly ArchiveEntry[]): Promise<Novelty[]> {
    return batch.length === 0 ? [] : storeIn(this.database, batch);
  }

  /** Stores an event in a transaction that is rolled back. @throws PostgreSQL's error when it rejects the event */
  async rehearse(event: ArchiveEntry): Promise<void> {
    await this.database.rehearse((tx) => storeIn(tx, [event]));
  }
}

async function storeIn(on: Queryable, batch: readonly ArchiveEntry[]): Promise<Novelty[]> {
  const novelties = batch.map((): Novelty => 'fresh');
  const rows = await on.query<{ place: number; is_duplicate: boolean }>(ARCHIVE, columns(batch), 'archive');
  for (const { place, is_duplicate } of rows) novelties[place - 1] = is_duplicate ? 'duplicate' : 'redelivered';
  return novelties;
}

function columns(batch: readonly ArchiveEntry[]): string[] {
  const column = (value: (entry: ArchiveEntry) => string | number) => joinedColumn(batch, value, SEPARATOR);
  return [
    column(({ event }) => event.tenant),
    column(({ event }) => event.id),
    column(({ event }) => event.type),
    column(({ event }) => event.resourceId ?? ''),
    column(({ occurredAtMs }) => occurredAtMs),
    column(({ event }) => event.acceptedAt),
    column(({ event }) => event.partition),
    column(({ event }) => event.position),
    column(({ endpointIds }) => endpointIds.join(',')),
    column(({ event }) => event.rawData),
  ];
}
