import { setTimeout } from 'node:timers/promises';

const RETRY_MS = 1_000;

/**
 * Repeats an attempt until it is no own fault. Own faults are a DNS without an answer, or a lack of file handles: the
 * attempt never reached its endpoint, and does not count against it.
 *
 * @param failed the attempt that failed
 * @param signal ends the waiting; the last failure is then returned
 */
export async function throughOwnFaults<Made extends { readonly isOurFault: boolean }>(
  failed: Made,
  attempt: () => Promise<Made>,
  signal: AbortSignal,
  retryMs = RETRY_MS,
): Promise<Made> {
  let made = failed;
  while (made.isOurFault && !signal.aborted) {
    await setTimeout(retryMs, undefined, { signal }).catch(() => undefined);
    made = await attempt();
  }
  return made;
}
