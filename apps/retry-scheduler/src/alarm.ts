/** Milliseconds since the epoch, by the wall clock. Injected, so that tests can set it. */
export type Clock = () => number;

/** A timer runs by another clock than the wall's: slept no longer than this, a jump of the latter is noticed. */
const LONGEST_SLEEP_MS = 1_000;

/** One timer for the next of many moments. */
export class Alarm {
  private timer: NodeJS.Timeout | undefined;
  private setFor = Number.POSITIVE_INFINITY;

  /** @param ring called at the moment set, or earlier after a jump of the clock; it sets the alarm again */
  constructor(
    private readonly now: Clock,
    private readonly ring: () => void,
  ) {}

  /** Rings at the earliest moment set since it last rang. @param at ms since the epoch; undefined when nothing is due */
  set(at: number | undefined): void {
    const moment = Math.min(at ?? Number.POSITIVE_INFINITY, this.now() + LONGEST_SLEEP_MS);
    if (this.timer !== undefined && moment >= this.setFor) return;
    clearTimeout(this.timer);
    this.setFor = moment;
    this.timer = setTimeout(() => this.fire(), Math.max(0, moment - this.now()));
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private fire(): void {
    this.timer = undefined;
    this.ring();
  }
}
