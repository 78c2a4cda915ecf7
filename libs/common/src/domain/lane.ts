import { DELIVERY_ID_PREFIX } from './identifiers.js';

/** The units within which an endpoint's deliveries keep order (docs/ordering.md#what-is-promised). */
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

/** A lane is ordered if several deliveries may share it. The lane of a single delivery is the delivery's id. */
export function isOrderedLane(lane: string): boolean {
  return !lane.startsWith(DELIVERY_ID_PREFIX);
}

/** Whether {@link laneOf} can return this lane for the delivery. A delivery must not enter another endpoint's lane. */
export function isLaneOf(lane: string, delivery: { endpointId: string; deliveryId: string }): boolean {
  const { endpointId, deliveryId } = delivery;
  if (lane.startsWith(endpointId)) return lane.length === endpointId.length || lane[endpointId.length] === ':';
  return lane === deliveryId;
}
