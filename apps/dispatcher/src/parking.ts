import { offsetOf } from '#common/domain/position.js';
import type { FencedLog } from '#common/kafka/port/owned-log.js';
import type { ParkedRecord } from '#common/postgres/lane-store.js';
import {
  DELIVERY_HEADER,
  type DeliveryMeta,
  encodeDelivery,
  newLife,
  unpackDelivery,
} from '#common/records/delivery-record.js';
import { encodeHeaders, readHeaders } from '#common/records/stored-headers.js';
import type { Delivery, UnreadableRow } from './delivery.js';

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

/** The delivery a parked row is; `unreadable` when the row holds none. Never throws: a lane waits for its lowest row. */
export function unparked(log: FencedLog, row: ParkedRecord): Delivery {
  const { lane, place, body, parkedAt } = row;
  const read = { log, offset: offsetOf(place), lane, body, isReplay: false, parkedAt, bagIndex: 0 };
  const meta = unpackDelivery(row.header);
  const headers = readHeaders(row.extraHeaders ?? {});
  if (meta !== undefined && headers !== undefined) return { ...read, meta, headers };
  return {
    ...read,
    meta: meta ?? metaOfColumns(row),
    headers: headers ?? {},
    unreadable: unreadable(log, row, headers),
  };
}

/** What the columns of a row say: enough to find its endpoint, and to remove it. */
function metaOfColumns({ deliveryId, endpointId, attempt, place, parkedAt }: ParkedRecord): DeliveryMeta {
  const life = newLife({ deliveryId, endpointId, eventId: '', tenant: '', eventType: '', acceptedAt: parkedAt });
  return { ...life, attempt, place };
}

function unreadable(
  { topic, partition }: FencedLog,
  row: ParkedRecord,
  headers: Readonly<Record<string, Buffer>> | undefined,
): UnreadableRow {
  const { lane, place, header, body } = row;
  const part = headers === undefined ? 'extra_headers' : 'header';
  const record = {
    topic,
    partition,
    offset: offsetOf(place),
    timestamp: row.parkedAt,
    key: Buffer.from(lane),
    value: body,
    headers: { ...headers, [DELIVERY_HEADER]: Buffer.from(header) },
  };
  return { record, detail: `the parked row is malformed: its column ${part} cannot be read` };
}

/** The id a lane row shows for its head. */
export function headOf(delivery: Delivery | undefined): string {
  return delivery?.meta.deliveryId ?? '';
}
