import { DEFAULT_TENANT } from '#common/domain/identifiers.js';
import { parseRfc3339 } from '#common/domain/rfc3339.js';
import { partitionOf } from '#common/kafka/port/partitioner.js';
import type { IsFinished } from '#common/kafka/port/topics.js';
import type { EventToArchive } from '#common/postgres/archived-event.js';
import type { Queryable } from '#common/postgres/database.js';
import { EVENT_COLUMN_LIST, EVENT_INPUT, eventColumns, eventParams } from '#common/postgres/event-columns.js';
import { hasDeadLetterHeaders, readDeadLetter, withoutDeadLetterHeaders } from '#common/records/dead-letter-record.js';
import { DELIVERY_HEADER, decodeDelivery } from '#common/records/delivery-record.js';
import { type AcceptedEvent, parseEventRecord } from '#common/records/event-record.js';
import type { InRecord } from '#common/records/record.js';
import type { PositionsOf } from './fan-out-records.js';

export interface EventLimits {
  readonly partitions: number;
  readonly maxEventBytes: number;
  /** Of the records of `ingest`. */
  readonly positionsOf: PositionsOf;
  /** By partition: the records that the routers have finished. The routers archive the others. */
  readonly finished: ReadonlyMap<number, IsFinished>;
}

/** @returns undefined for a record that the router archived no event for: a replay, a poison record, or one that it moved */
export function readEventRow(record: InRecord, limits: EventLimits): EventToArchive | undefined {
  const { partition, offset, timestamp, key } = record;
  if (!limits.finished.get(partition)?.(offset)) return undefined;
  const headers = eventHeaders(record);
  const parsed = headers && parseEventRecord({ ...record, headers }, limits.maxEventBytes);
  if (!parsed?.ok) return undefined;
  const { event } = parsed;
  const orderedBy = key?.length ? key : event.resourceId;
  if (orderedBy !== undefined && partitionOf(orderedBy, limits.partitions) !== partition) return undefined;
  const accepted: AcceptedEvent = {
    ...event,
    tenant: event.tenant ?? DEFAULT_TENANT,
    occurredAt: event.occurredAt ?? new Date(timestamp).toISOString(),
    acceptedAt: timestamp,
    partition,
    position: limits.positionsOf(partition).of(offset),
  };
  return { event: accepted, occurredAtMs: parseRfc3339(accepted.occurredAt) ?? timestamp, endpointIds: [] };
}

/** @returns undefined for a dead letter, unless it is one that the router reads as an event again */
function eventHeaders({ headers }: InRecord): InRecord['headers'] | undefined {
  if (!hasDeadLetterHeaders(headers)) return headers;
  if (decodeDelivery(headers[DELIVERY_HEADER]) !== undefined) return undefined;
  return readDeadLetter(headers)?.reason === 'payload_error' ? withoutDeadLetterHeaders(headers) : undefined;
}

/** Endpoints come from the staged records of `deliveries`: the endpoints of the fan-out, not today's subscribers. */
const ENDPOINT_IDS = `(SELECT coalesce(array_agg(DISTINCT f.endpoint_id), '{}') FROM rebuild_deliveries f
      WHERE f.tenant = i.tenant AND f.event_id = i.id AND f.accepted_at = i.accepted_at)`;

const ROWS = `WITH sent AS MATERIALIZED (${EVENT_INPUT}), input AS MATERIALIZED (
    SELECT DISTINCT ON (i.tenant, i.id) ${eventColumns('i', ENDPOINT_IDS)} FROM sent AS i
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
    RETURNING tenant AS claimed_tenant, event_id AS claimed_id
  ), stored AS (
    INSERT INTO events (${EVENT_COLUMN_LIST})
    SELECT ${EVENT_COLUMN_LIST} FROM input JOIN claimed ON claimed_tenant = tenant AND claimed_id = id
    ON CONFLICT (accepted_at, tenant, id) DO NOTHING RETURNING 1
  ) SELECT count(*) AS rows FROM stored`;

/**
 * Archives events that the database lacks, and claims their ids.
 *
 * @returns the number of missing events
 */
export async function storeEvents(db: Queryable, rows: readonly EventToArchive[], isDryRun: boolean): Promise<number> {
  if (rows.length === 0) return 0;
  const sql = isDryRun ? `${ROWS} SELECT count(*) AS rows FROM input` : INSERT;
  const [row] = await db.query<{ rows: number }>(sql, eventParams(rows));
  return row?.rows ?? 0;
}
