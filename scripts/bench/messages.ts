/** First message of a receiver: its port. */
export interface Listening {
  readonly listening: number;
}

/** Reply to `count`. */
export interface Count {
  readonly accepted: number;
  readonly connections: number;
}

/** Latencies that a receiver reports. */
export interface Latencies {
  /** ms from publishing to arrival. */
  readonly latencies: readonly number[];
}

/** Reply to `report` of the throughput benchmark's receiver. */
export interface Arrivals extends Latencies {
  readonly requests: number;
  /** Arrival time of each accepted delivery, ms since the epoch. */
  readonly acceptedAt: readonly number[];
}

/** The raw loop's only message. */
export interface RawRate {
  readonly perSecond: number;
  readonly failed: number;
}
