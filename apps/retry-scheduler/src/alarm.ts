/** Milliseconds since the epoch, by the wall clock. Injected, so that tests can set it. */
export type Clock = () => number;

/** Longest timer. Timers use the monotonic clock, so a longer one would not notice a jump of the wall clock. */
const LONGEST_SLEEP_MS = 1_000;

/**
 * Least time between two calls of `ring`. Each call may cause a produce request of one or two records: without a pause,
 * 1,000 returns/s cost 50 % more CPU (measured).
 */
const LEAST_PAUSE_MS = 10;

/** One timer for the earliest of many times. */
export class Alarm {
  private timer: NodeJS.Timeout | undefined;
  private setFor = 0;
  private rangAt = 0;

  /** @param ring called at the time set, or earlier after a jump of the clock; the callee sets the alarm again */
  constructor(
    private readonly now: Clock,
    private readonly ring: () => void,
  ) {}

  /** Calls `ring` at the earliest time set since the last call. @param at ms since the epoch; undefined for no time */
  set(at = Number.POSITIVE_INFINITY): void {
    const nowMs = this.now();
    const moment = Math.min(Math.max(at, this.rangAt + LEAST_PAUSE_MS), nowMs + LONGEST_SLEEP_MS);
    if (this.timer !== undefined && moment >= this.setFor) return;
    clearTimeout(this.timer);
    this.setFor = moment;
    this.timer = setTimeout(() => this.fire(), Math.max(0, moment - nowMs));
  }

  /** Cancels every time that was set. */
  clear(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private fire(): void {
    this.timer = undefined;
    this.rangAt = this.now();
    this.ring();
  }
}
