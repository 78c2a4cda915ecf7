import type { DeliveryContent } from '../records/delivery-body.js';

/** An event as the archive has it: columns of `events`. */
export interface ArchivedEvent {
  readonly tenant: string;
  readonly id: string;
  readonly type: string;
  readonly resource_id: string | null;
  readonly occurred_at: Date;
  readonly accepted_at: Date;
  /** Position in `ingest`; null when the event never was there. */
  readonly source_offset: number | null;
  /** The producer's own JSON text. */
  readonly data: string;
}

/** What the router made bodies of. */
export function contentOf(event: ArchivedEvent): DeliveryContent {
  return {
    eventId: event.id,
    type: event.type,
    occurredAt: event.occurred_at.toISOString(),
    sequence: event.source_offset ?? 0,
    resourceId: event.resource_id ?? undefined,
    rawData: event.data,
  };
}
