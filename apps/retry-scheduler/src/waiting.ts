import { type Hop, TIERS } from '#common/domain/tier.js';
import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import { DELIVERY_HEADER, type DeliveryMeta, encodeDelivery } from '#common/records/delivery-record.js';
import { receiveDelivery } from '#common/records/received-delivery.js';
import type { InRecord, OutRecord } from '#common/records/record.js';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';
import { boundedDueAt, type Wait } from './wheel.js';

/** A delivery read from a tier. */
export interface WaitingDelivery extends Wait {
  readonly log: OwnedLog;
  readonly offset: number;
  readonly meta: DeliveryMeta;
  readonly key: Buffer;
  readonly value: Buffer;
  /** All headers except the packed header. */
  readonly headers: Readonly<Record<string, Buffer>>;
  /** Memory of the delivery, objects included. */
  readonly bytes: number;
}

/** Memory of the objects a waiting record is made of (measured, Node 24). */
const OVERHEAD_BYTES = 1_280;

/** @returns the delivery, or the reason why the record is poison */
export function readWaiting(
  log: OwnedLog,
  record: InRecord,
  { readAt, maxBatchBytes }: { readAt: number; maxBatchBytes: number },
): WaitingDelivery | string {
  const tier = TIERS.find(({ topic }) => topic === record.topic);
  if (tier === undefined) return `${record.topic} is no tier`;
  const received = receiveDelivery(record, maxBatchBytes);
  if (typeof received === 'string') return received;
  const { meta } = received;
  if (meta.dueAt === undefined) return 'the delivery has no due time';
  const { key, value, headers } = copyOf(received.key, received.value, record.headers);
  return {
    log,
    offset: record.offset,
    tier,
    dueAt: boundedDueAt(meta.dueAt, record.timestamp, tier),
    tierUntil: meta.tierUntil,
    readAt,
    meta,
    key,
    value,
    headers,
    bytes: memoryOf(record),
  };
}

/** Memory of a record in the waiting room, in bytes. */
export function memoryOf({ key, value, headers }: InRecord): number {
  const contents = Object.entries(headers).reduce((sum, [name, text]) => sum + name.length + text.length, 0);
  return OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0) + contents;
}

/**
 * The record that returns the delivery to `deliveries`. It keeps the due time: a dispatcher with a slower clock waits
 * for it.
 */
export function returnOf({ meta, dueAt, key, value, headers }: WaitingDelivery): OutRecord {
  const header = encodeDelivery({ ...meta, returned: true, dueAt, tierUntil: undefined });
  return { topic: DELIVERIES_TOPIC, key, value, headers: { ...headers, [DELIVERY_HEADER]: header } };
}

/** The record that moves the delivery to the tier for the rest of its wait. */
export function moveOf({ meta, key, value, headers }: WaitingDelivery, { tier, dueAt, tierUntil }: Hop): OutRecord {
  const header = encodeDelivery({ ...meta, dueAt, tierUntil });
  return { topic: tier.topic, key, value, headers: { ...headers, [DELIVERY_HEADER]: header } };
}

/**
 * Copies the buffers of a record: they are views of the fetch response, which would stay in memory with megabytes
 * uncounted.
 */
function copyOf(
  key: Buffer,
  value: Buffer,
  headers: InRecord['headers'],
): Pick<WaitingDelivery, 'key' | 'value' | 'headers'> {
  const others = Object.entries(headers).filter(([name]) => name !== DELIVERY_HEADER);
  return {
    key: Buffer.from(key),
    value: Buffer.from(value),
    headers: Object.fromEntries(others.map(([name, text]) => [name, Buffer.from(text)])),
  };
}
