import { offsetOf } from '#common/domain/position.js';
import type { FencedLog } from '#common/kafka/port/owned-log.js';
import type { OpenCommand } from '#common/postgres/lane-commands.js';
import type { ParkedRecord } from '#common/postgres/lane-store.js';
import {
  DELIVERY_HEADER,
  type DeliveryMeta,
  encodeDelivery,
  newLife,
  unpackDelivery,
} from '#common/records/delivery-record.js';
import { encodeHeaders, readHeaders } from '#common/records/stored-headers.js';
import { type Delivery, storedDelivery, type UnreadableRow } from '../deliveries/delivery.js';

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

/** The delivery of a parked row; `unreadable` when the row holds none. Never throws: a lane waits for its lowest row. */
export function unparked(log: FencedLog, row: ParkedRecord): Delivery {
  const meta = unpackDelivery(row.header);
  const headers = readHeaders(row.extraHeaders ?? {});
  if (meta !== undefined && headers !== undefined) return storedDelivery(log, row, meta, headers);
  const delivery = storedDelivery(log, row, meta ?? metaOfColumns(row), headers ?? {});
  return { ...delivery, unreadable: unreadable(log, row, headers) };
}

/** @returns the delivery that an operator's command skips; undefined when the command is malformed */
export function skippedDelivery(log: FencedLog, command: OpenCommand): Delivery | undefined {
  const { place, attempt, header, extraHeaders } = command;
  const meta = unpackDelivery(header);
  if (meta === undefined) return undefined;
  const row = { ...command, parkedAt: Date.now() };
  return storedDelivery(log, row, { ...meta, place, attempt }, readHeaders(extraHeaders ?? {}) ?? {});
}

/** The fields that columns of a row have: enough to find its endpoint, and to remove the row. */
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
