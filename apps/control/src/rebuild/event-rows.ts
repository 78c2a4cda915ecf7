import { DEFAULT_TENANT } from '#common/domain/identifiers.js';
import { parseRfc3339 } from '#common/domain/rfc3339.js';
import { partitionOf } from '#common/kafka/port/partitioner.js';
import type { IsFinished } from '#common/kafka/port/topics.js';
import type { Queryable } from '#common/postgres/database.js';
import { hasDeadLetterHeaders, readDeadLetter, withoutDeadLetterHeaders } from '#common/records/dead-letter-record.js';
import { DELIVERY_HEADER, decodeDelivery } from '#common/records/delivery-record.js';
import { parseEventRecord } from '#common/records/event-record.js';
import type { InRecord } from '#common/records/record.js';
import type { PositionsOf } from './fan-out-records.js';

/** A row of `events`. Times in ms since the epoch. */
export interface EventRow {
  readonly tenant: string;
  readonly id: string;
  readonly type: string;
  readonly resourceId: string | null;
  readonly occurredAt: number;
  readonly acceptedAt: number;
  readonly partition: number;
  /** Position number in `ingest`. */
  readonly sequence: number;
  readonly data: string;
}

export interface EventLimits {
  readonly partitions: number;
  readonly maxEventBytes: number;
  /** Of the records of `ingest`. */
  readonly positionsOf: PositionsOf;
  /** By partition: what the routers have finished. The others will be archived by them. */
  readonly finished: ReadonlyMap<number, IsFinished>;
}

/** @returns undefined for a record that the router archived no event for: a replay, a poison record, or one that it moved */
export function readEventRow(record: InRecord, limits: EventLimits): EventRow | undefined {
  const { partition, offset, timestamp, key } = record;
  if (!limits.finished.get(partition)?.(offset)) return undefined;
  const headers = eventHeaders(record);
  const parsed = headers && parseEventRecord({ ...record, headers }, limits.maxEventBytes);
  if (!parsed?.ok) return undefined;
  const { event } = parsed;
  const orderedBy = key?.length ? key : event.resourceId;
  if (orderedBy !== undefined && partitionOf(orderedBy, limits.partitions) !== partition) return undefined;
  const occurredAt = event.occurredAt === undefined ? undefined : parseRfc3339(event.occurredAt);
  return {
    tenant: event.tenant ?? DEFAULT_TENANT,
    id: event.id,
    type: event.type,
    resourceId: event.resourceId ?? null,
    occurredAt: occurredAt ?? timestamp,
    acceptedAt: timestamp,
    partition,
    sequence: limits.positionsOf(partition).of(offset),
    data: event.rawData,
  };
}

/** @returns undefined for a dead letter, unless it is one that the router reads as an event again */
function eventHeaders({ headers }: InRecord): InRecord['headers'] | undefined {
  if (!hasDeadLetterHeaders(headers)) return headers;
  if (decodeDelivery(headers[DELIVERY_HEADER]) !== undefined) return undefined;
  return readDeadLetter(headers)?.reason === 'payload_error' ? withoutDeadLetterHeaders(headers) : undefined;
}

/** Endpoints come from the staged records of `deliveries`: what the router fanned out to, not what subscribes today. */
const ROWS = `WITH input AS MATERIALIZED (
    SELECT DISTINCT ON (i.tenant, i.id) i.*, (
      SELECT coalesce(array_agg(DISTINCT f.endpoint_id), '{}') FROM rebuild_deliveries f
      WHERE f.tenant = i.tenant AND f.event_id = i.id AND f.accepted_at = i.accepted_at) AS endpoint_ids
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::int[],
      $8::bigint[], $9::text[])
      AS i (tenant, id, type, resource_id, occurred_at, accepted_at, source_partition, source_offset, data)
    WHERE NOT EXISTS (SELECT FROM events e WHERE e.tenant = i.tenant AND e.id = i.id AND e.accepted_at = i.accepted_at)
      AND NOT EXISTS (SELECT FROM event_keys k WHERE k.tenant = i.tenant AND k.event_id = i.id
        AND (k.source_partition, k.source_offset) <> (i.source_partition, i.source_offset))
    ORDER BY i.tenant, i.id, i.source_offset
  )`;

const INSERT = `${ROWS}, claimed AS (
    INSERT INTO event_keys AS known (tenant, event_id, source_partition, source_offset, accepted_at)
    SELECT tenant, id, source_partition, source_offset, accepted_at FROM input ORDER BY tenant, id
    ON CONFLICT (tenant, event_id) DO UPDATE SET accepted_at = known.accepted_at
      WHERE known.source_partition = excluded.source_partition AND known.source_offset = excluded.source_offset
    RETURNING tenant, event_id
  ), stored AS (
    INSERT INTO events (tenant, id, type, resource_id, occurred_at, accepted_at, source_partition, source_offset,
      endpoint_ids, data)
    SELECT input.tenant, id, type, resource_id, occurred_at, accepted_at, source_partition, source_offset, endpoint_ids,
      data FROM input JOIN claimed ON claimed.tenant = input.tenant AND claimed.event_id = input.id
    ON CONFLICT (accepted_at, tenant, id) DO NOTHING RETURNING 1
  ) SELECT count(*) AS rows FROM stored`;

/**
 * Archives events that the database lacks, and claims their ids.
 *
 * @returns how many it lacked
 */
export async function storeEvents(db: Queryable, rows: readonly EventRow[], isDryRun: boolean): Promise<number> {
  if (rows.length === 0) return 0;
  const [row] = await db.query<{ rows: number }>(isDryRun ? `${ROWS} SELECT count(*) AS rows FROM input` : INSERT, [
    rows.map(({ tenant }) => tenant),
    rows.map(({ id }) => id),
    rows.map(({ type }) => type),
    rows.map(({ resourceId }) => resourceId),
    rows.map(({ occurredAt }) => new Date(occurredAt)),
    rows.map(({ acceptedAt }) => new Date(acceptedAt)),
    rows.map(({ partition }) => partition),
    rows.map(({ sequence }) => sequence),
    rows.map(({ data }) => data),
  ]);
  return row?.rows ?? 0;
}
