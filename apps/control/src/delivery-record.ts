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

/** What a delivery's record is made of. */
export interface DeliveryParts {
  readonly lane: string;
  /** The packed header. */
  readonly header: string;
  readonly body: Buffer;
}

type Receiver = Pick<StoredEndpoint, 'id' | 'ordering' | 'payload'>;

/** A first record of `deliveries`: this event, for this endpoint, in its given life. */
export function deliveryRecord(event: ArchivedEvent, endpoint: Receiver, replay: number): OutRecord {
  const { lane, header, body } = deliveryParts(event, endpoint, replay);
  return { topic: DELIVERIES_TOPIC, key: lane, value: body, headers: { [DELIVERY_HEADER]: header } };
}

/** As the router would make it now, in its given life, before any attempt. */
export function deliveryParts(event: ArchivedEvent, endpoint: Receiver, replay: number): DeliveryParts {
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
  const header = encodeDelivery({
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
  const lane = laneOf({ ordering: endpoint.ordering, endpointId: endpoint.id, resourceId, deliveryId });
  return { lane, header, body: deliveryBody(content, endpoint.payload) };
}
