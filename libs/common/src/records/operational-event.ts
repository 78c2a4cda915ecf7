import { encodeEvent } from './event.js';
import type { OutRecord } from './record.js';
import { INGEST_TOPIC } from './topics.js';

/**
 * Events Posthorn itself publishes about a tenant's endpoints and deliveries; the tenant's endpoints can subscribe to
 * them by exact type, `endpoint.*` or `delivery.*`.
 */
export const OPERATIONAL_TYPES = ['endpoint.disabled', 'endpoint.recovered', 'delivery.dead'] as const;
export type OperationalType = (typeof OPERATIONAL_TYPES)[number];

/** Marks such an event's record in `ingest`, and names the endpoint it is about, which never gets it. */
export const ABOUT_HEADER = 'posthorn-about';

export interface OperationalEvent {
  /** The same fact has the same id, however often it is published. */
  readonly id: string;
  readonly type: OperationalType;
  readonly tenant: string;
  /** The endpoint it is about. */
  readonly endpointId: string;
  readonly resourceId: string;
  /** ms since the epoch. */
  readonly occurredAt: number;
  readonly data: Readonly<Record<string, unknown>>;
}

export function operationalRecord(event: OperationalEvent): OutRecord {
  const { id, type, tenant, resourceId, occurredAt, data } = event;
  const value = encodeEvent({
    id,
    type,
    tenant,
    resourceId,
    occurredAt: new Date(occurredAt).toISOString(),
    rawData: JSON.stringify(data),
  });
  return { topic: INGEST_TOPIC, key: resourceId, value, headers: { [ABOUT_HEADER]: event.endpointId } };
}

/** Whether events of this type may be Posthorn's own: their outcomes cause no further operational events. */
export function isOperationalType(type: string): boolean {
  return OPERATIONAL_TYPES.some((known) => known === type);
}
