/** A failed try is repeated after this long at first. */
const MIN_WAIT_MS = 100;
/** The wait doubles up to this. */
const MAX_WAIT_MS = 2_000;

/** Waits between tries: `minMs` after the first failure, then twice the last wait, at most `maxMs`. */
export class Backoff {
  private nextWaitMs: number;

  constructor(
    private readonly minMs = MIN_WAIT_MS,
    private readonly maxMs = MAX_WAIT_MS,
  ) {
    this.nextWaitMs = minMs;
  }

  /** @returns ms to wait before the next try; each call counts a failure */
  next(): number {
    const waitMs = this.nextWaitMs;
    this.nextWaitMs = Math.min(2 * waitMs, this.maxMs);
    return waitMs;
  }

  /** A try has succeeded. */
  reset(): void {
    this.nextWaitMs = this.minMs;
  }
}
