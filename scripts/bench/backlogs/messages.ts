import type { Lag } from '../loop-lag.ts';
import type { percentiles } from '../percentiles.ts';

/** Resets the receiver. */
export interface Expect {
  readonly endpoints: number;
  /** Events are numbered from 0. */
  readonly events: number;
  /** Until then every request fails, and should be repeated at this time; ms since the epoch. */
  readonly failUntil?: number;
}

/** Reply to `count`: requests by their first answer. */
export interface Arrived {
  readonly accepted: number;
  readonly failed: number;
}

/** Asks for an {@link Arrivals}. */
export interface Report {
  /** Times are relative to it; ms since the epoch. */
  readonly sinceMs: number;
}

/** Accepted deliveries. Times are in ms. */
export interface Arrivals extends Arrived {
  /** Requests for a delivery that was accepted before, or that failed before and was not due. */
  readonly repeats: number;
  readonly arrivedMs: ReturnType<typeof percentiles>;
  /** When the last delivery of each endpoint arrived: over all endpoints that got one. */
  readonly lastOfEndpointMs: ReturnType<typeof percentiles>;
  /** Deliveries per second, from the first twentieth to the last. */
  readonly perSecond: number;
  readonly lag: Lag;
}
