/** One measured scene. Each of its `events` has `endpoints` deliveries. */
export interface Scene {
  readonly door: 'kafka' | 'http';
  readonly endpoints: number;
  readonly ordering: 'resource' | 'none';
  readonly failRate: number;
  readonly events: number;
}

/** Requests per second of the raw loop, by way of signing. */
export interface Raw {
  readonly plain: number;
  readonly fastest: number;
}
