import { performance } from 'node:perf_hooks';

/** Above this share of time at work, what is slow may be us. */
const BUSY_UTILIZATION = 0.8;
/** How much longer an endpoint may then take. One that hangs takes longer still. */
const BUSY_FACTOR = 15;

/**
 * Begins to watch how busy this process is.
 *
 * @param patienceMs how long an endpoint's backlog may take while there is time to spare
 * @returns how long it may take, judged by the time since
 */
export function patienceByLoad(patienceMs: number): () => number {
  const before = performance.eventLoopUtilization();
  return () => {
    const { utilization } = performance.eventLoopUtilization(before);
    return utilization > BUSY_UTILIZATION ? patienceMs * BUSY_FACTOR : patienceMs;
  };
}
