import type { Queryable } from '#common/postgres/database.js';
import type { DeliveryIdentity } from '#common/records/delivery-record.js';
import type { DeliveryStatus } from '../projector/projection.js';
import type { Candidate } from './fate.js';
import { WAITED } from './waiting.js';

/** A staged record whose delivery had no outcome when it was read. */
export interface OpenDelivery extends Candidate {
  readonly log: string;
  readonly identity: DeliveryIdentity;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

interface OpenRow {
  log: string;
  place: number;
  lane: string;
  delivery_id: string;
  replay: number;
  tenant: string;
  event_id: string;
  event_type: string;
  endpoint_id: string;
  accepted_at: Date;
  extra_headers: Record<string, string>;
  body: Buffer;
  known_replay: number | null;
  known_status: DeliveryStatus | null;
  attempts: number | null;
  next_attempt_at: Date | null;
  row_place: number | null;
  row_attempt: number | null;
}

/** A parked delivery has a row of its own and needs nothing. */
const OPEN = `SELECT c.log, c.place, c.lane, c.delivery_id, c.replay, c.tenant, c.event_id, c.event_type, c.endpoint_id,
    c.accepted_at, c.extra_headers, c.body, known.replay AS known_replay, known.status AS known_status, known.attempts,
    known.next_attempt_at, r.place AS row_place, r.attempt AS row_attempt
  FROM rebuild_deliveries c
  LEFT JOIN LATERAL (
    SELECT * FROM rebuild_states s WHERE s.accepted_at = c.accepted_at AND s.id = c.delivery_id
    ORDER BY s.replay DESC, array_position(ARRAY['pending', 'retrying', 'dead', 'delivered'], s.status) DESC,
      s.attempts DESC LIMIT 1
  ) known ON true
  LEFT JOIN lane_rows r ON r.log = c.log AND r.lane = c.lane
  WHERE c.is_finished AND c.body IS NOT NULL AND c.sent_at IS NULL AND (c.log, c.place) > ($1, $2)
    AND NOT EXISTS (SELECT FROM parked_deliveries p WHERE p.delivery_id = c.delivery_id) AND NOT ${WAITED}
    -- The same life may lie in the log twice; its first record counts.
    AND NOT EXISTS (SELECT FROM rebuild_deliveries f WHERE f.delivery_id = c.delivery_id AND f.replay = c.replay
      AND (f.sent_at IS NOT NULL OR (f.log = c.log AND f.place < c.place AND f.is_finished)))
  ORDER BY c.log, c.place LIMIT $3`;

/** Open deliveries in log order, in pages. */
export async function* openDeliveries(db: Queryable, pageSize: number): AsyncGenerator<OpenDelivery[]> {
  for (let [log, place] = ['', -1]; ; ) {
    const rows = await db.query<OpenRow>(OPEN, [log, place, pageSize], 'rebuild-open');
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows.map(toOpenDelivery);
    [log, place] = [last.log, last.place];
  }
}

function toOpenDelivery(row: OpenRow): OpenDelivery {
  const { log, place, lane, replay, known_replay, known_status, row_place } = row;
  return {
    log,
    place,
    lane,
    replay,
    identity: {
      deliveryId: row.delivery_id,
      eventId: row.event_id,
      endpointId: row.endpoint_id,
      tenant: row.tenant,
      eventType: row.event_type,
      acceptedAt: row.accepted_at.getTime(),
    },
    known:
      known_replay === null || known_status === null
        ? undefined
        : {
            replay: known_replay,
            status: known_status,
            attempts: row.attempts ?? 0,
            nextAttemptAt: row.next_attempt_at?.getTime(),
          },
    row: row_place === null ? undefined : { place: row_place, attempt: row.row_attempt ?? undefined },
    headers: row.extra_headers,
    body: row.body,
  };
}
