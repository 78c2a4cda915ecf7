import type { Lag } from '../loop-lag.ts';

/** Asks the probe to publish events, and to time their arrival at its endpoint. */
export interface WatchedLoad {
  readonly ingestPort: number;
  readonly apiKey: string;
  readonly type: string;
  readonly tenant: string;
  readonly perSecond: number;
  readonly seconds: number;
  /** Resource of all events; undefined for many resources by turns. */
  readonly resource: string | undefined;
}

/** Times of one event, in ms since the epoch. */
export interface Arrival {
  readonly id: string;
  readonly publishedAt: number;
  /** Undefined when it has not arrived. */
  readonly arrivedAt: number | undefined;
}

/** The probe's reply, at the latest {@link MOST_LATE_MS} after the last event. */
export interface Watched {
  /** Events that the API accepted. */
  readonly published: number;
  readonly refused: number;
  readonly arrivals: readonly Arrival[];
  /** Arrivals after the first of the same event. */
  readonly repeats: number;
  /** When the last event was published, and when the probe stopped waiting, in ms since the epoch. */
  readonly endedAt: number;
  readonly stoppedAt: number;
  readonly lag: Lag;
}

/** Reply of the crowd, the process of the neighbours' endpoints, since its last reply. */
export interface CrowdReport {
  readonly requests: number;
  readonly answered: number;
  readonly lag: Lag;
}

/** Time that the probe waits for events that have not arrived. */
export const MOST_LATE_MS = 45_000;
