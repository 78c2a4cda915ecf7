import { deliveryIdOf } from '#common/domain/identifiers.js';
import { laneOf } from '#common/domain/lane.js';
import type { OutRecord } from '#common/kafka/record.js';
import { type ArchivedEvent, contentOf } from '#common/postgres/archived-event.js';
import { deliveryBody } from '#common/records/delivery-body.js';
import { DELIVERY_HEADER, encodeDelivery, newLife } from '#common/records/delivery-record.js';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';
import type { StoredEndpoint } from './endpoints/endpoint.js';

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
  const header = encodeDelivery(
    newLife(
      {
        deliveryId,
        eventId: event.id,
        endpointId: endpoint.id,
        tenant: event.tenant,
        eventType: event.type,
        acceptedAt: event.accepted_at.getTime(),
      },
      replay,
    ),
  );
  const lane = laneOf({ ordering: endpoint.ordering, endpointId: endpoint.id, resourceId, deliveryId });
  return { lane, header, body: deliveryBody(contentOf(event), endpoint.payload) };
}
