import { performance } from 'node:perf_hooks';

/** Above this utilization of the event loop, slow answers may be this process's own fault. */
const BUSY_UTILIZATION = 0.8;
/** An endpoint may then take this many times as long. A hanging endpoint takes even longer. */
const BUSY_FACTOR = 15;

/**
 * Begins to measure how busy this process is.
 *
 * @param patienceMs how long an endpoint's backlog may take while the process is not busy
 * @returns how long the backlog may take, by the utilization since the begin
 */
export function patienceByLoad(patienceMs: number): () => number {
  const before = performance.eventLoopUtilization();
  return () => {
    const { utilization } = performance.eventLoopUtilization(before);
    return utilization > BUSY_UTILIZATION ? patienceMs * BUSY_FACTOR : patienceMs;
  };
}
