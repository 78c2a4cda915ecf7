import type { ArchivedEvent } from '#common/postgres/archived-event.js';
import { deliveryParts, type Receiver } from '#common/postgres/delivery-parts.js';
import { DELIVERY_HEADER } from '#common/records/delivery-record.js';
import type { OutRecord } from '#common/records/record.js';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';

/** A first record of `deliveries`: this event, for this endpoint, in its given life. */
export function deliveryRecord(event: ArchivedEvent, endpoint: Receiver, replay: number): OutRecord {
  const { lane, header, body } = deliveryParts(event, endpoint, replay);
  return { topic: DELIVERIES_TOPIC, key: lane, value: body, headers: { [DELIVERY_HEADER]: header } };
}
