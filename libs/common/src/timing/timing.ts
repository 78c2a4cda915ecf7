/** Milliseconds of a monotonic clock: a jump of the wall clock must neither end a lease nor pace a fetch. */
export function monotonicMs(): number {
  return performance.now();
}

/** Resolves after `ms`. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Waits for `work`, but no longer than `ms`; leaves no timer behind. A rejection of `work` is passed on.
 *
 * @returns whether it was done by then
 */
export async function atMost(ms: number, work: Promise<unknown> | undefined): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([Promise.resolve(work).then(() => true), limit]);
  } finally {
    clearTimeout(timer);
  }
}
