import { deliveryIdOf } from '#common/domain/identifiers.js';
import { laneOf } from '#common/domain/lane.js';
import type { ArchivedEvent } from '#common/postgres/archived-event.js';
import { deliveryParts, type Receiver } from '#common/postgres/delivery-parts.js';
import { deliveryBody } from '#common/records/delivery-body.js';
import { DELIVERY_HEADER, encodeDelivery, newLife } from '#common/records/delivery-record.js';
import type { AcceptedEvent } from '#common/records/event-record.js';
import type { OutRecord } from '#common/records/record.js';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';
import type { TraceContext } from '#common/records/trace-context.js';

/** Makes one delivery per endpoint. Deterministic: the same event gives the same deliveries. */
export function fanOut(event: AcceptedEvent, endpoints: readonly Receiver[], trace: TraceContext): OutRecord[] {
  const bodies: { [payload in Receiver['payload']]?: Buffer } = {};
  return endpoints.map((endpoint) => {
    const { payload } = endpoint;
    const value = bodies[payload] ?? deliveryBody(event, payload);
    bodies[payload] = value;
    const { key, header } = addressOf(event, endpoint);
    return { topic: DELIVERIES_TOPIC, key, value, headers: { [DELIVERY_HEADER]: header, ...trace } };
  });
}

/** Makes the same delivery from the archive. A deleted endpoint has no settings; the attempt then finds it gone. */
export function deliveryOf(event: ArchivedEvent, endpointId: string, endpoint: Receiver | undefined): OutRecord {
  const receiver = endpoint ?? { id: endpointId, ordering: 'none', payload: 'full' };
  const { lane, header, body } = deliveryParts(event, receiver, 0);
  return { topic: DELIVERIES_TOPIC, key: lane, value: body, headers: { [DELIVERY_HEADER]: header } };
}

function addressOf(event: AcceptedEvent, endpoint: Receiver): { key: string; header: string } {
  const { id: eventId, tenant, type: eventType, resourceId, acceptedAt } = event;
  const { id: endpointId, ordering } = endpoint;
  const deliveryId = deliveryIdOf(tenant, eventId, endpointId);
  const header = encodeDelivery(newLife({ deliveryId, eventId, endpointId, tenant, eventType, acceptedAt }));
  return { key: laneOf({ ordering, endpointId, resourceId, deliveryId }), header };
}
