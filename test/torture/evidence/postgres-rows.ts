import { runSql } from '../../../scripts/lib/postgres.mjs';
import type { PostgresRows } from '../judge/evidence.js';

/** Reads the rows at the end, of all runs of the system. @param url direct connection, past any proxy */
export async function readPostgres(url: string): Promise<PostgresRows> {
  return {
    events: await rows(url, EVENTS),
    deliveries: await rows(url, DELIVERIES),
    attempts: await rows(url, ATTEMPTS),
    heads: await rows(url, HEADS),
    parked: await rows(url, PARKED),
    deadLetters: await rows(url, DEAD_LETTERS),
    outboxRows: (await rows(url, OUTBOX)).length,
  };
}

/** Maps rows to objects: columns have the names of fields, and null becomes undefined. */
async function rows<Row>(url: string, statement: string): Promise<Row[]> {
  const found: readonly Record<string, unknown>[] = await runSql(url, statement);
  return found.map(
    (row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value ?? undefined])) as Row,
  );
}

const EVENTS = `SELECT tenant, id, source_partition AS "sourcePartition", source_offset::float8 AS "sourceOffset",
  endpoint_ids AS "endpointIds" FROM events`;
const DELIVERIES = `SELECT id, event_id AS "eventId", endpoint_id AS "endpointId", lane, status,
  dead_reason AS "deadReason", replay, attempts FROM deliveries`;
const ATTEMPTS = `SELECT delivery_id AS "deliveryId", replay, attempt,
  (extract(epoch FROM at) * 1000)::float8 AS at, status_code AS "statusCode", error, outcome FROM delivery_attempts`;
const HEADS = `SELECT lane, delivery_id AS "deliveryId", attempt FROM lane_rows WHERE attempt IS NOT NULL`;
const PARKED = `SELECT lane, place::float8 AS place, delivery_id AS "deliveryId" FROM parked_deliveries`;
const DEAD_LETTERS = `SELECT dlq_partition AS partition, dlq_offset::float8 AS offset, reason, event_id AS "eventId",
  endpoint_id AS "endpointId", delivery_id AS "deliveryId", replayed_at IS NOT NULL AS "isReplayed" FROM dead_letters`;
const OUTBOX = 'SELECT seq FROM outbox';
