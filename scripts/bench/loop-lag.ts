import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;

/** How late the event loop of a process was, in ms. */
export interface Lag {
  readonly p99: number;
  readonly max: number;
}

/**
 * Measures how late this process runs its timers: the error of every time that it stamps.
 *
 * @returns function that returns the lag since its last call
 */
export function watchLoopLag(): () => Lag {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  // The histogram holds the time between two checks, so the interval itself is no lag.
  const lagOf = (nanoseconds: number) => Math.max(0, Math.round(nanoseconds / 1e6) - RESOLUTION_MS);
  return () => {
    const lag = { p99: lagOf(histogram.percentile(99)), max: lagOf(histogram.max) };
    histogram.reset();
    return lag;
  };
}
