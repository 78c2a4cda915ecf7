import type { Queryable } from '#common/postgres/database.js';
import { DELIVERY_HEADER, encodeDelivery, newLife } from '#common/records/delivery-record.js';
import type { OutRecord } from '#common/records/record.js';
import { decodeHeaders } from '#common/records/stored-headers.js';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';
import { enqueueOutbox } from '../outbox/outbox.js';
import { LOCK_ORDER } from '../replays/lives.js';
import type { OpenDelivery } from './candidates.js';

/** A delivery that is sent again, in the life it was in or in the next one. */
export interface Resend {
  readonly delivery: OpenDelivery;
  readonly isNextLife: boolean;
}

/**
 * Puts deliveries into `deliveries` again, in the given order, by the outbox. The mark that says so is part of the
 * transaction: a killed run sends none of them twice.
 */
export async function resend(tx: Queryable, list: readonly Resend[]): Promise<void> {
  await beginNextLives(
    tx,
    list.filter(({ isNextLife }) => isNextLife).map(({ delivery }) => delivery),
  );
  await enqueueOutbox(tx, list.map(toRecord));
  await markSent(tx, list);
}

function toRecord({ delivery, isNextLife }: Resend): OutRecord {
  const { lane, identity, replay, headers, body } = delivery;
  const packed = encodeDelivery(newLife(identity, isNextLife ? replay + 1 : replay));
  return {
    topic: DELIVERIES_TOPIC,
    key: lane,
    value: body,
    headers: { ...decodeHeaders(headers), [DELIVERY_HEADER]: packed },
  };
}

/** Outcomes of the life before change the delivery no more. */
async function beginNextLives(tx: Queryable, deliveries: readonly OpenDelivery[]): Promise<void> {
  if (deliveries.length === 0) return;
  await tx.query(
    `WITH locked AS MATERIALIZED (
       SELECT d.id, d.accepted_at FROM deliveries d
       JOIN unnest($1::text[], $2::timestamptz[], $3::int[]) AS s (id, accepted_at, replay)
         ON d.id = s.id AND d.accepted_at = s.accepted_at AND d.replay = s.replay
       ORDER BY ${LOCK_ORDER} FOR UPDATE OF d
     )
     UPDATE deliveries d SET status = 'pending', replay = d.replay + 1, attempts = 0, last_status_code = NULL,
       last_error = NULL, next_attempt_at = NULL, updated_at = now()
     FROM locked WHERE d.id = locked.id AND d.accepted_at = locked.accepted_at`,
    [
      deliveries.map(({ identity }) => identity.deliveryId),
      deliveries.map(({ identity }) => new Date(identity.acceptedAt)),
      deliveries.map(({ replay }) => replay),
    ],
  );
}

/** Sent deliveries are not sent again, whatever happens to this run. */
export async function markSent(tx: Queryable, list: readonly Resend[]): Promise<void> {
  await tx.query(
    `UPDATE rebuild_deliveries r SET sent_at = now(), body = NULL FROM unnest($1::text[], $2::bigint[]) AS s (log, place)
     WHERE r.log = s.log AND r.place = s.place`,
    [list.map(({ delivery }) => delivery.log), list.map(({ delivery }) => delivery.place)],
  );
}
