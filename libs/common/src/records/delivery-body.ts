/** What an endpoint's body is made of. `rawData` is the producer's own JSON text, kept to the letter. */
export interface DeliveryContent {
  readonly eventId: string;
  readonly type: string;
  /** RFC 3339. */
  readonly occurredAt: string;
  /** Monotonic per resource: the event's position in `ingest` (domain/position.ts). */
  readonly sequence: number;
  readonly resourceId: string | undefined;
  readonly rawData: string;
}

/** The exact bytes to POST. `thin` leaves `data` out, for receivers that fetch fresh state. */
export function deliveryBody(content: DeliveryContent, payload: 'full' | 'thin'): Buffer {
  const head =
    `{"id":${JSON.stringify(content.eventId)},"type":${JSON.stringify(content.type)},` +
    `"occurred_at":${JSON.stringify(content.occurredAt)},"sequence":${content.sequence},` +
    `"resource_id":${JSON.stringify(content.resourceId ?? null)}`;
  return Buffer.from(payload === 'thin' ? `${head}}` : `${head},"data":${content.rawData}}`);
}
