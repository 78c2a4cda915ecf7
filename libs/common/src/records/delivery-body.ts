import type { AcceptedEvent } from './event-record.js';

/**
 * The parts of an endpoint's body. `position` is its `sequence`: monotonic per resource (domain/position.ts). `rawData` is
 * passed through byte for byte.
 */
export type DeliveryContent = Omit<AcceptedEvent, 'tenant' | 'acceptedAt' | 'partition'>;

/** The exact bytes to POST. `thin` leaves `data` out, for receivers that fetch fresh state. */
export function deliveryBody(content: DeliveryContent, payload: 'full' | 'thin'): Buffer {
  const head =
    `{"id":${JSON.stringify(content.id)},"type":${JSON.stringify(content.type)},` +
    `"occurred_at":${JSON.stringify(content.occurredAt)},"sequence":${content.position},` +
    `"resource_id":${JSON.stringify(content.resourceId ?? null)}`;
  return Buffer.from(payload === 'thin' ? `${head}}` : `${head},"data":${content.rawData}}`);
}
