import { deliveryIdOf } from '../domain/identifiers.js';
import { laneOf, type Ordering } from '../domain/lane.js';
import { deliveryBody } from '../records/delivery-body.js';
import { type DeliveryMeta, encodeDelivery, newLife } from '../records/delivery-record.js';
import { type ArchivedEvent, contentOf } from './archived-event.js';

/** The parts of a delivery's record. */
export interface DeliveryParts {
  readonly lane: string;
  /** The packed header. */
  readonly header: string;
  readonly body: Buffer;
}

/** The settings of an endpoint that shape its deliveries. */
export interface Receiver {
  readonly id: string;
  readonly ordering: Ordering;
  readonly payload: 'full' | 'thin';
}

/** As the router would make it now, in its given life, before any attempt; `over` says how far the life has come. */
export function deliveryParts(
  event: ArchivedEvent,
  endpoint: Receiver,
  replay: number,
  over: Partial<Pick<DeliveryMeta, 'attempt' | 'place' | 'dueAt' | 'tierUntil'>> = {},
): DeliveryParts {
  const resourceId = event.resource_id ?? undefined;
  const deliveryId = deliveryIdOf(event.tenant, event.id, endpoint.id);
  const life = newLife(
    {
      deliveryId,
      eventId: event.id,
      endpointId: endpoint.id,
      tenant: event.tenant,
      eventType: event.type,
      acceptedAt: event.accepted_at.getTime(),
    },
    replay,
  );
  const lane = laneOf({ ordering: endpoint.ordering, endpointId: endpoint.id, resourceId, deliveryId });
  return { lane, header: encodeDelivery({ ...life, ...over }), body: deliveryBody(contentOf(event), endpoint.payload) };
}
