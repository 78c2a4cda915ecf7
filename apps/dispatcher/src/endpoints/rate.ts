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

  /** @returns 0 when there is a token, else the whole ms until there is one */
  waitMs(nowMs: number): number {
    this.fill(nowMs);
    return this.tokens >= 1 ? 0 : Math.max(1, Math.ceil(((1 - this.tokens) / this.perSecond) * 1_000));
  }

  /** Takes a token; call it only when {@link waitMs} is 0. */
  take(nowMs: number): void {
    this.fill(nowMs);
    this.tokens--;
  }

  /** No token is missing: a new bucket would be the same. */
  isFull(nowMs: number): boolean {
    this.fill(nowMs);
    return this.tokens >= this.most;
  }

  private get most(): number {
    return Math.max(1, this.perSecond);
  }

  private fill(nowMs: number): void {
    this.tokens = Math.min(this.most, this.tokens + (Math.max(0, nowMs - this.filledAt) * this.perSecond) / 1_000);
    this.filledAt = nowMs;
  }
}
