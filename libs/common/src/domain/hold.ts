/**
 * Why an endpoint holds (docs/lane-protocol.md, rule 6): `paused` by an operator; its `breaker` is open;
 * `slow`, it answers more slowly than its deliveries arrive; `key_missing`, a key of its secrets is not in `SECRET_KEYS`.
 */
export const HOLD_REASONS = ['paused', 'breaker', 'slow', 'key_missing'] as const;
export type HoldReason = (typeof HOLD_REASONS)[number];

/** Why deliveries are parked: their endpoint holds, or they wait for the `head` of their lane. */
export const PARK_REASONS = ['head', ...HOLD_REASONS] as const;
export type ParkReason = (typeof PARK_REASONS)[number];
