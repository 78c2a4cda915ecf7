/** A token bucket that holds one second's worth at most. Time comes in as ms since any epoch. */
export class Rate {
  private tokens: number;
  private filledAt: number;

  constructor(
    private perSecond: number,
    nowMs: number,
  ) {
    this.tokens = Math.max(1, perSecond);
    this.filledAt = nowMs;
  }

  change(perSecond: number): void {
    this.perSecond = perSecond;
  }

  /** @returns 0 when one was taken, else the ms until one can be */
  take(nowMs: number): number {
    const burst = Math.max(1, this.perSecond);
    this.tokens = Math.min(burst, this.tokens + (Math.max(0, nowMs - this.filledAt) * this.perSecond) / 1_000);
    this.filledAt = nowMs;
    if (this.tokens >= 1) {
      this.tokens--;
      return 0;
    }
    return Math.max(1, Math.ceil(((1 - this.tokens) / this.perSecond) * 1_000));
  }
}
