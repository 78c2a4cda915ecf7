import { offsetOf } from '#common/domain/position.js';
import type { FencedLog } from '#common/kafka/port.js';
import type { ParkedRecord } from '#common/postgres/lane-store.js';
import { encodeDelivery, unpackDelivery } from '#common/records/delivery-record.js';
import { decodeHeaders, encodeHeaders } from '#common/records/stored-headers.js';
import type { Delivery } from './delivery.js';

/** A delivery as the database keeps it. */
export function parkedRecord(
  delivery: Delivery,
  at: { lane: string; place: number; attempt: number; reason: string; now: number },
): ParkedRecord {
  const { meta, headers, body } = delivery;
  return {
    lane: at.lane,
    place: at.place,
    attempt: at.attempt,
    reason: at.reason,
    parkedAt: at.now,
    endpointId: meta.endpointId,
    deliveryId: meta.deliveryId,
    header: encodeDelivery({ ...meta, place: at.place }),
    extraHeaders: Object.keys(headers).length === 0 ? null : encodeHeaders(headers),
    body,
  };
}

/** The delivery a parked row is. @throws Error when the row is not one of ours */
export function unparked(log: FencedLog, row: ParkedRecord): Delivery {
  const meta = unpackDelivery(row.header);
  if (meta === undefined) throw new Error(`the parked row of ${row.lane} at ${row.place} is malformed`);
  return {
    log,
    offset: offsetOf(row.place),
    lane: row.lane,
    meta,
    body: row.body,
    headers: decodeHeaders(row.extraHeaders ?? {}),
    isReplay: false,
    parkedAt: row.parkedAt,
    bagIndex: 0,
  };
}

/** The id a lane row shows for its head. */
export function headOf(delivery: Delivery | undefined): string {
  return delivery?.meta.deliveryId ?? '';
}
