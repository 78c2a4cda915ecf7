import { deliveryIdOf } from '#common/domain/identifiers.js';
import { subscriptionMatches } from '#common/domain/subscription.js';
import type { ArchivedEvent } from '#common/postgres/archived-event.js';
import type { Queryable } from '#common/postgres/database.js';
import type { Recovery, RecoveryCursor } from '#common/postgres/entities/recovery.js';
import { isOperationalType } from '#common/records/operational-event.js';
import type { OutRecord } from '#common/records/record.js';
import type { StoredEndpoint } from '../endpoints/endpoint.js';
import { findEndpoint } from '../endpoints/endpoint.repository.js';
import { deliveryRecord } from '../outbox/delivery-record.js';
import { enqueueOutbox } from '../outbox/outbox.js';
import { beginNextLives } from '../replays/lives.js';
import { COUNT_SCAN, type RecoveryPage, SEND_PAGE, SEND_SCAN } from './recovery-page.js';

/** An event of the period, and the status of its delivery to the endpoint. */
interface ScannedEvent {
  readonly tenant: string;
  readonly id: string;
  readonly type: string;
  readonly accepted_at: Date;
  readonly source_partition: number;
  readonly source_offset: number;
  readonly was_sent: boolean;
  /** Null when there is no row: pending, or never sent. */
  readonly status: string | null;
  readonly replay: number | null;
}

/**
 * One page of an endpoint's recovery: events in the order in which they were accepted, which is the order of each
 * resource. Called within the transaction that stores the cursor.
 */
export async function recoverPage(tx: Queryable, job: Recovery): Promise<RecoveryPage> {
  const endpoint = await findEndpoint(tx, job.endpoint_id ?? '', job.tenant ?? undefined);
  if (endpoint === undefined) return { problem: 'the endpoint was deleted' };
  if (endpoint.status === 'disabled') return { problem: 'the endpoint is disabled' };
  const isCounting = job.state === 'counting';
  const limit = isCounting ? COUNT_SCAN : SEND_SCAN;
  const scanned = await scan(tx, job, endpoint, limit);
  const { found, last } = select(scanned, endpoint, job.filter.only === 'all', isCounting ? limit : SEND_PAGE);
  const isEnd = scanned.length < limit && last === scanned.at(-1);
  const cursor = isEnd || last === undefined ? undefined : cursorOf(last);
  const sent = isCounting ? 0 : await send(tx, endpoint, found);
  return { cursor, found: found.length, sent };
}

/** Up to `limit` that are to be sent, and the last row that was looked at. */
function select(scanned: readonly ScannedEvent[], endpoint: StoredEndpoint, isAll: boolean, limit: number) {
  const found: ScannedEvent[] = [];
  let last: ScannedEvent | undefined;
  for (const event of scanned) {
    last = event;
    if (isWanted(event, endpoint, isAll)) found.push(event);
    if (found.length === limit) break;
  }
  return { found, last };
}

/** Events of other tenants are passed over here: the archive has no index by tenant and time. */
async function scan(
  tx: Queryable,
  { cursor, filter }: Recovery,
  endpoint: StoredEndpoint,
  limit: number,
): Promise<ScannedEvent[]> {
  const [atMs, partition, offset, tenant, id] = cursor ?? [Date.parse(filter.since ?? ''), -2, -2, '', ''];
  return tx.query<ScannedEvent>(
    `WITH page AS MATERIALIZED (
       SELECT tenant, id, type, accepted_at, coalesce(source_partition, -1) AS source_partition,
         coalesce(source_offset, -1) AS source_offset, $8 = ANY(endpoint_ids) AS was_sent
       FROM events WHERE accepted_at >= $1 AND accepted_at < $2
         AND (accepted_at, coalesce(source_partition, -1), coalesce(source_offset, -1), tenant, id) > ($1, $3, $4, $5, $6)
       ORDER BY accepted_at, coalesce(source_partition, -1), coalesce(source_offset, -1), tenant, id LIMIT $7
     )
     SELECT page.*, d.status, d.replay FROM page
     LEFT JOIN deliveries d ON page.tenant = $9 AND d.id = delivery_id(page.tenant, page.id, $8)
       AND d.accepted_at = page.accepted_at
     ORDER BY page.accepted_at, source_partition, source_offset, page.tenant, page.id`,
    [new Date(Number(atMs)), filter.until, partition, offset, tenant, id, limit, endpoint.id, endpoint.tenant],
  );
}

function isWanted(event: ScannedEvent, endpoint: StoredEndpoint, isAll: boolean): boolean {
  if (event.tenant !== endpoint.tenant) return false;
  if (event.status !== null) return event.status === 'dead' || (isAll && event.status === 'delivered');
  return !event.was_sent && isMissed(event, endpoint);
}

/** Whether the enabled endpoint would have got the event. An event that never was in `ingest` is for one endpoint only. */
function isMissed({ type, accepted_at, source_offset }: ScannedEvent, endpoint: StoredEndpoint): boolean {
  if (accepted_at < endpoint.created_at || source_offset < 0 || isOperationalType(type)) return false;
  return endpoint.event_types.some((wanted) => subscriptionMatches(wanted, type));
}

/** @returns the number of sent deliveries; another request sends the others */
async function send(tx: Queryable, endpoint: StoredEndpoint, found: readonly ScannedEvent[]): Promise<number> {
  if (found.length === 0) return 0;
  const deliveryId = (event: ScannedEvent) => deliveryIdOf(event.tenant, event.id, endpoint.id);
  const ended = found.flatMap((event) =>
    event.replay === null ? [] : [{ id: deliveryId(event), accepted_at: event.accepted_at, replay: event.replay }],
  );
  const begun = await beginNextLives(tx, ended);
  await markReplayed(tx, [...begun]);
  const events = await addToEvents(tx, endpoint.id, found);
  const records = found.flatMap((event): OutRecord[] => {
    const archived = events.get(`${event.tenant}/${event.id}`);
    const isOurs = event.replay === null || begun.has(deliveryId(event));
    if (archived === undefined || !isOurs) return [];
    return [deliveryRecord(archived, endpoint, event.replay === null ? 0 : event.replay + 1)];
  });
  await enqueueOutbox(tx, records);
  return records.length;
}

async function markReplayed(tx: Queryable, deliveryIds: readonly string[]): Promise<void> {
  await tx.query('UPDATE dead_letters SET replayed_at = now() WHERE delivery_id = ANY($1) AND replayed_at IS NULL', [
    deliveryIds,
  ]);
}

/** Reads the events whole; those the endpoint missed are fanned out to it from now on. */
async function addToEvents(
  tx: Queryable,
  endpointId: string,
  found: readonly ScannedEvent[],
): Promise<Map<string, ArchivedEvent>> {
  const rows = await tx.query<ArchivedEvent>(
    `UPDATE events SET endpoint_ids = CASE WHEN $4 = ANY(endpoint_ids) THEN endpoint_ids ELSE endpoint_ids || $4 END
     WHERE (accepted_at, tenant, id) IN (SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::text[]))
     RETURNING *`,
    [
      found.map(({ accepted_at }) => accepted_at),
      found.map(({ tenant }) => tenant),
      found.map(({ id }) => id),
      endpointId,
    ],
  );
  return new Map(rows.map((event) => [`${event.tenant}/${event.id}`, event]));
}

function cursorOf({ accepted_at, source_partition, source_offset, tenant, id }: ScannedEvent): RecoveryCursor {
  return [accepted_at.getTime(), source_partition, source_offset, tenant, id];
}
