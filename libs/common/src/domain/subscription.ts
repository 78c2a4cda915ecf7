/** `invoice.paid`: dot-separated names of letters, digits, `_` and `-`. */
export const EVENT_TYPE_PATTERN = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/;

/** An event type, `*`, or a prefix of whole names followed by `.*`. */
export const SUBSCRIPTION_PATTERN = /^(\*|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\.\*)?)$/;

/**
 * Whether one subscription takes an event type: `*` takes all, `invoice.*` takes `invoice.paid` and `invoice.line.added`
 * but not `invoice`, anything else only itself.
 */
export function subscriptionMatches(subscription: string, type: string): boolean {
  if (subscription === '*') return true;
  if (!subscription.endsWith('.*')) return subscription === type;
  return type.startsWith(subscription.slice(0, -1));
}

/** Posthorn's own events are taken by name, or by `endpoint.*` and the like; `*` means the tenant's events alone. */
export function operationalSubscriptionMatches(subscription: string, type: string): boolean {
  return subscription !== '*' && subscriptionMatches(subscription, type);
}
