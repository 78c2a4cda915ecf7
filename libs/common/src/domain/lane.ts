import { DELIVERY_ID_PREFIX } from './identifiers.js';

/** What the deliveries of an endpoint keep their order by (docs/ordering.md#what-is-promised). */
export const ORDERINGS = ['resource', 'endpoint', 'none'] as const;
export type Ordering = (typeof ORDERINGS)[number];

/**
 * The lane a delivery belongs to; also its record's key. Without a resource there is nothing to keep in order, so an
 * endpoint ordered by resource gives such a delivery a lane of its own.
 */
export function laneOf(delivery: {
  ordering: Ordering;
  endpointId: string;
  resourceId: string | undefined;
  deliveryId: string;
}): string {
  if (delivery.ordering === 'endpoint') return delivery.endpointId;
  if (delivery.ordering === 'none' || delivery.resourceId === undefined) return delivery.deliveryId;
  return `${delivery.endpointId}:${delivery.resourceId}`;
}

/** A lane is ordered when several deliveries may share it: it is not the id of one. */
export function isOrderedLane(lane: string): boolean {
  return !lane.startsWith(DELIVERY_ID_PREFIX);
}

/** Whether {@link laneOf} can give a delivery this lane: no delivery may wait in, or hold back, another endpoint's lane. */
export function isLaneOf(lane: string, delivery: { endpointId: string; deliveryId: string }): boolean {
  const { endpointId, deliveryId } = delivery;
  if (lane.startsWith(endpointId)) return lane.length === endpointId.length || lane[endpointId.length] === ':';
  return lane === deliveryId;
}
