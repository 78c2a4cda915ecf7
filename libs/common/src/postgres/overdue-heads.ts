import { deliveryBody } from '../records/delivery-body.js';
import { type DeliveryMeta, encodeDelivery } from '../records/delivery-record.js';
import { type ArchivedEvent, contentOf } from './archived-event.js';
import type { Queryable } from './database.js';
import { archivedColumns } from './event-columns.js';

/** The head of a lane as it would return from its tier, made again from the archive. */
export interface RestoredHead {
  readonly lane: string;
  /** The packed header. */
  readonly header: string;
  readonly body: Buffer;
}

interface HeadRow extends ArchivedEvent {
  readonly lane: string;
  readonly place: number;
  readonly attempt: number;
  readonly due_at: Date | null;
  readonly endpoint_id: string;
  readonly delivery_id: string;
  readonly replay: number;
}

/** Clocks of machines differ by less. */
const CLOCK_SLACK_S = 10;

/**
 * Due heads of a log's lanes that are not parked: their records are on their way back, or the log has lost them. A second
 * copy does no harm: the lane's row calls it over.
 *
 * @param payloadOf by endpoint; undefined for a deleted one
 * @param areOrphans also takes heads without a due time: the attempt was in flight, and its owner is gone
 * @returns the heads whose event is still archived
 */
export async function overdueHeads(
  database: Queryable,
  log: string,
  payloadOf: (endpointId: string) => 'full' | 'thin' | undefined,
  areOrphans = false,
): Promise<RestoredHead[]> {
  const rows = await database.query<HeadRow>(
    `SELECT r.lane, r.place, r.attempt, r.due_at, r.endpoint_id, r.delivery_id, d.replay,
       ${archivedColumns('e')}
     FROM lane_rows r
     JOIN deliveries d ON d.id = r.delivery_id
     JOIN events e ON e.accepted_at = d.accepted_at AND e.tenant = d.tenant AND e.id = d.event_id
     WHERE r.log = $1 AND r.attempt IS NOT NULL AND (r.due_at < now() + make_interval(secs => $2) OR (r.due_at IS NULL AND $3))
       AND NOT EXISTS (SELECT FROM parked_deliveries p WHERE p.log = r.log AND p.lane = r.lane AND p.place = r.place)`,
    [log, CLOCK_SLACK_S, areOrphans],
  );
  return rows.flatMap((row) => {
    const payload = payloadOf(row.endpoint_id);
    return payload === undefined ? [] : [restored(row, payload)];
  });
}

function restored(row: HeadRow, payload: 'full' | 'thin'): RestoredHead {
  const meta: DeliveryMeta = {
    deliveryId: row.delivery_id,
    eventId: row.id,
    endpointId: row.endpoint_id,
    tenant: row.tenant,
    eventType: row.type,
    attempt: row.attempt,
    replay: row.replay,
    acceptedAt: row.accepted_at.getTime(),
    returned: true,
    place: row.place,
    dueAt: row.due_at?.getTime(),
    tierUntil: undefined,
  };
  return { lane: row.lane, header: encodeDelivery(meta), body: deliveryBody(contentOf(row), payload) };
}
