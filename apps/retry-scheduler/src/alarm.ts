/** Milliseconds since the epoch, by the wall clock. Injected, so that tests can set it. */
export type Clock = () => number;

/** A timer runs by another clock than the wall's: slept no longer than this, a jump of the latter is noticed. */
const LONGEST_SLEEP_MS = 1_000;

/** Rings closer together would each cause a produce of a record or two: at 1000/s that costs half as much again (measured). */
const LEAST_PAUSE_MS = 10;

/** One timer for the next of many moments. */
export class Alarm {
  private timer: NodeJS.Timeout | undefined;
  private setFor = 0;
  private rangAt = 0;

  /** @param ring called at the moment set, or earlier after a jump of the clock; it sets the alarm again */
  constructor(
    private readonly now: Clock,
    private readonly ring: () => void,
  ) {}

  /** Rings at the earliest moment set since it last rang. @param at ms since the epoch; undefined when nothing is due */
  set(at = Number.POSITIVE_INFINITY): void {
    const nowMs = this.now();
    const moment = Math.min(Math.max(at, this.rangAt + LEAST_PAUSE_MS), nowMs + LONGEST_SLEEP_MS);
    if (this.timer !== undefined && moment >= this.setFor) return;
    clearTimeout(this.timer);
    this.setFor = moment;
    this.timer = setTimeout(() => this.fire(), Math.max(0, moment - nowMs));
  }

  /** Forgets every moment that was set. */
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
