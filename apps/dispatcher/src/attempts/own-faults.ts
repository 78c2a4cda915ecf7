import { setTimeout } from 'node:timers/promises';

const RETRY_MS = 1_000;

/**
 * Repeats an attempt that failed for as long as what stops it is a fault of ours: no DNS server answers, there are no file handles.
 * Such an attempt never reached its endpoint, so it is not counted against it: what is broken is waited for.
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
