export interface BacklogOptions {
  /** Deliveries in memory that are no reason to look closer. */
  readonly limit: number;
  /**
   * Called when a look begins; what it returns is called at its end, and says how many ms what is in memory may take, at
   * the pace seen, before the endpoint counts as slower than its traffic.
   */
  readonly patience: () => () => number;
  readonly now: () => number;
  /** Called when the endpoint becomes slow or is slow no more. */
  readonly onChange: () => void;
}

/** The pace is judged by so long a look. */
const LOOK_MS = 500;

/**
 * What one endpoint has in memory, and whether it is slower than its traffic. A number alone does not tell: after a burst a
 * fast endpoint has many deliveries waiting, too, and parking them would cost far more than to wait a moment.
 */
export class Backlog {
  size = 0;
  isSlow = false;
  private done = 0;
  private since = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: BacklogOptions) {}

  add(): void {
    this.size++;
    if (this.size >= this.options.limit && !this.isSlow && this.timer === undefined) this.look();
  }

  remove(): void {
    this.size--;
    this.done++;
    if (this.size * 2 >= this.options.limit) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.become(false);
  }

  private look(): void {
    this.since = this.options.now();
    this.done = 0;
    const patienceMs = this.options.patience();
    this.timer = setTimeout(() => this.judge(patienceMs()), LOOK_MS);
  }

  private judge(patienceMs: number): void {
    this.timer = undefined;
    const { limit, now } = this.options;
    const perMs = this.done / Math.max(1, now() - this.since);
    if (this.size / perMs > patienceMs) this.become(true);
    else if (this.size >= limit) this.look();
  }

  private become(isSlow: boolean): void {
    if (this.isSlow === isSlow) return;
    this.isSlow = isSlow;
    this.options.onChange();
  }
}
