import type { Queryable } from '#common/postgres/database.js';
import { newId } from '#common/random/new-id.js';
import { isOperationalType, operationalRecord } from '#common/records/operational-event.js';
import { enqueueOutbox } from './outbox.js';

/** Tells the tenant of an endpoint's state, in the transaction that changes it. */
export async function publishEndpointEvent(
  tx: Queryable,
  type: 'endpoint.disabled' | 'endpoint.recovered',
  endpoint: { readonly id: string; readonly tenant: string; readonly url: string },
  facts: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { id, tenant, url } = endpoint;
  const data = { endpoint_id: id, url, ...facts };
  const event = { id: newId('evt'), type, tenant, endpointId: id, resourceId: id, occurredAt: Date.now(), data };
  await enqueueOutbox(tx, [operationalRecord(event)]);
}

/** A delivery that was given up. */
export interface DeadDelivery {
  readonly deadLetterId: string;
  readonly deliveryId: string;
  readonly replay: number;
  readonly attempts: number;
  readonly tenant: string;
  readonly endpointId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly reason: string;
  readonly detail: string | null;
  readonly lastStatusCode: number | null;
  readonly lastError: string | null;
  readonly deadAt: Date;
}

const DEAD_TYPE = 'delivery.dead';

/**
 * Publishes `delivery.dead` for tenants that have subscribed to it: dead deliveries are frequent, unlike changes of an
 * endpoint's state. A dead delivery of an operational event causes none, or two dead endpoints would cause events without
 * end.
 */
export async function publishDeadDeliveries(tx: Queryable, all: readonly DeadDelivery[]): Promise<void> {
  const dead = all.filter(({ eventType }) => !isOperationalType(eventType));
  if (dead.length === 0) return;
  const subscribers = await tx.query<{ id: string; tenant: string }>(
    `SELECT id, tenant FROM endpoints
     WHERE tenant = ANY($1) AND status = 'active' AND event_types && ARRAY['delivery.dead', 'delivery.*']`,
    [[...new Set(dead.map(({ tenant }) => tenant))]],
  );
  const wanted = dead.filter(({ tenant, endpointId }) =>
    subscribers.some((endpoint) => endpoint.tenant === tenant && endpoint.id !== endpointId),
  );
  await enqueueOutbox(tx, wanted.map(deadRecord));
}

/** Told once, though a crash may have put two dead letters of one death into the topic. */
function deadRecord(dead: DeadDelivery) {
  const { deliveryId, replay, tenant, endpointId, deadAt } = dead;
  const data = {
    delivery_id: deliveryId,
    event_id: dead.eventId,
    event_type: dead.eventType,
    endpoint_id: endpointId,
    dead_letter_id: dead.deadLetterId,
    reason: dead.reason,
    detail: dead.detail,
    last_status_code: dead.lastStatusCode,
    last_error: dead.lastError,
    attempts: dead.attempts,
    replay,
    dead_at: deadAt.toISOString(),
  };
  return operationalRecord({
    id: `${deliveryId}.dead.${replay}`,
    type: DEAD_TYPE,
    tenant,
    endpointId,
    resourceId: deliveryId,
    occurredAt: deadAt.getTime(),
    data,
  });
}
