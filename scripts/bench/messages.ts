/** The first message of a receiver: its port. */
export interface Listening {
  readonly listening: number;
}

/** Answer to `count`. */
export interface Count {
  readonly accepted: number;
}

/** Answer of the receiver of the isolation benchmark to `report`. */
export interface Latencies {
  /** ms from publishing to arrival. */
  readonly latencies: readonly number[];
}

/** Answer of the receiver of the throughput benchmark to `report`. */
export interface Arrivals extends Latencies {
  readonly requests: number;
  /** ms since the epoch, of each accepted delivery. */
  readonly acceptedAt: readonly number[];
}

/** The only message of the raw loop. */
export interface RawRate {
  readonly perSecond: number;
  readonly failed: number;
}
