import { deliveryIdOf } from '#common/domain/identifiers.js';
import { laneOf } from '#common/domain/lane.js';
import type { OutRecord } from '#common/kafka/record.js';
import { deliveryBody } from '#common/records/delivery-body.js';
import { DELIVERY_HEADER, encodeDelivery } from '#common/records/delivery-record.js';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';
import type { StoredEndpoint } from './endpoints/endpoint.js';

/** An event as the archive has it. */
export interface ArchivedEvent {
  readonly tenant: string;
  readonly id: string;
  readonly type: string;
  readonly resource_id: string | null;
  readonly occurred_at: Date;
  readonly accepted_at: Date;
  /** Offset in `ingest`; null when the event never was there. */
  readonly source_offset: number | null;
  /** The producer's own JSON text. */
  readonly data: string;
}

/** A first record of `deliveries`: this event, for this endpoint, in its given life. */
export function deliveryRecord(
  event: ArchivedEvent,
  endpoint: Pick<StoredEndpoint, 'id' | 'ordering' | 'payload'>,
  replay: number,
): OutRecord {
  const resourceId = event.resource_id ?? undefined;
  const deliveryId = deliveryIdOf(event.tenant, event.id, endpoint.id);
  const content = {
    eventId: event.id,
    type: event.type,
    occurredAt: event.occurred_at.toISOString(),
    sequence: event.source_offset ?? 0,
    resourceId,
    rawData: event.data,
  };
  const meta = encodeDelivery({
    deliveryId,
    eventId: event.id,
    endpointId: endpoint.id,
    tenant: event.tenant,
    eventType: event.type,
    attempt: 0,
    replay,
    acceptedAt: event.accepted_at.getTime(),
    returned: false,
    place: undefined,
    dueAt: undefined,
    tierUntil: undefined,
  });
  return {
    topic: DELIVERIES_TOPIC,
    key: laneOf({ ordering: endpoint.ordering, endpointId: endpoint.id, resourceId, deliveryId }),
    value: deliveryBody(content, endpoint.payload),
    headers: { [DELIVERY_HEADER]: meta },
  };
}
