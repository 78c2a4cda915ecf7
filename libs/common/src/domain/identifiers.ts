import { hash } from 'node:crypto';

/**
 * Event ids, idempotency keys: 1 to 256 printable ASCII characters, no space at either end. HTTP drops such a space from a
 * header's value, and the signature of `webhook-id` would not verify.
 */
export const EVENT_ID_PATTERN = /^[\x21-\x7e]([\x20-\x7e]{0,254}[\x21-\x7e])?$/;

/** The same in words, for error messages. */
export const EVENT_ID_RULE = '1 to 256 printable ASCII characters, no space at either end';

export const TENANT_PATTERN = /^[A-Za-z0-9._-]{1,64}$/;
export const DEFAULT_TENANT = 'default';

/** Tells the lane of one unordered delivery, which is its id, from that of an endpoint or resource. */
export const DELIVERY_ID_PREFIX = 'dlv_';

/** The same event for the same endpoint always has the same delivery id, so a repeated fan-out is recognisable. */
export function deliveryIdOf(tenant: string, eventId: string, endpointId: string): string {
  return `${DELIVERY_ID_PREFIX}${hash('sha256', `${tenant}\n${eventId}\n${endpointId}`, 'base64url').slice(0, 22)}`;
}

/** Deterministic event id of `"id_from": "content"`: the same fact published twice is one event. */
export function contentEventId(event: { type: string; resourceId: string; occurredAt: string }): string {
  return hash('sha256', `${event.type}:${event.resourceId}:${event.occurredAt}`, 'hex');
}
