export interface BacklogOptions {
  /** Deliveries that may be in memory, large ones counted several times. */
  readonly limit: number;
  /**
   * Called when a measurement begins. The function it returns is called at the end: how many ms the endpoint may take for
   * `limit` deliveries before it counts as `slow`.
   */
  readonly patience: () => () => number;
  /** The least ms per answer by the endpoint's rate limit; 0 without a limit. */
  readonly leastMs: () => number;
  readonly now: () => number;
  /** Called when the endpoint becomes slow, or is no longer slow. */
  readonly onChange: () => void;
  /** Called when there is room again. */
  readonly onRoom: () => void;
}

const MEASUREMENT_MS = 500;
/**
 * A slow endpoint may have this many times the limit on the way to PostgreSQL. More records per statement park the backlog
 * sooner.
 */
const PARKING_ROOM = 2;
/**
 * All deliveries of an endpoint, deferred ones included, may take this many times as long as a full queue. Then the endpoint
 * cannot keep up with its traffic, however fast it is, and its deliveries are parked.
 */
const DEFERRED_PATIENCE = 20;

/**
 * Counts one endpoint's deliveries in memory, and decides whether the endpoint is slower than its traffic. The count alone is
 * no evidence: a fast endpoint has many deliveries after a burst, and parking them costs far more than a short wait. So the
 * backlog measures the endpoint's pace: its answers in the time it had attempts in flight.
 */
export class Backlog {
  size = 0;
  /** Attempts in flight. */
  inFlight = 0;
  isSlow = false;
  /** Further deliveries are to be deferred. */
  isFull = false;
  private deferred = 0;
  /** Deliveries in memory when the endpoint became slow stay there. Only later ones are parked. */
  private sizeWhenSlow = 0;
  /** Of this measurement: answers, the sum of the ms in flight over all attempts, and the most attempts in flight at once. */
  private answers = 0;
  private busyMs = 0;
  private peak = 0;
  private changedAt = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: BacklogOptions) {}

  add(places: number): void {
    this.size += places;
    const { limit } = this.options;
    if (this.size >= this.sizeWhenSlow + this.room) this.isFull = true;
    if (this.size >= limit && !this.isSlow && this.timer === undefined) this.measure();
  }

  remove(places: number): void {
    this.size -= places;
    this.makeRoom();
    this.endIfShort();
  }

  /** @param change of the number of deferred deliveries */
  countDeferred(change: number): void {
    this.deferred += change;
    this.endIfShort();
  }

  /** No delivery is in memory, in flight or deferred. */
  get isEmpty(): boolean {
    return this.inFlight === 0 && this.size === 0 && this.deferred === 0;
  }

  private endIfShort(): void {
    if (this.size * 2 >= this.options.limit || this.deferred > 0) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.setSlow(false);
  }

  /** Deliveries that may be in memory in addition to `sizeWhenSlow`. */
  private get room(): number {
    return this.isSlow ? PARKING_ROOM * this.options.limit : this.options.limit;
  }

  private makeRoom(): void {
    if (!this.isFull || this.size > this.sizeWhenSlow + this.room / 2) return;
    this.isFull = false;
    this.options.onRoom();
  }

  /** An attempt begins. */
  begin(): void {
    this.note();
    this.inFlight++;
    this.peak = Math.max(this.peak, this.inFlight);
  }

  /** The endpoint has answered. */
  end(): void {
    this.note();
    this.inFlight--;
    this.answers++;
  }

  private note(): void {
    if (this.timer === undefined) return;
    const now = this.options.now();
    this.busyMs += this.inFlight * (now - this.changedAt);
    this.changedAt = now;
  }

  private measure(): void {
    this.answers = 0;
    this.busyMs = 0;
    this.peak = this.inFlight;
    this.changedAt = this.options.now();
    const patienceMs = this.options.patience();
    // If the event loop was blocked, answers that arrived are read before the pace is judged.
    const judge = () => this.timer && this.judge(patienceMs());
    this.timer = setTimeout(() => setImmediate(judge), MEASUREMENT_MS);
  }

  private judge(patienceMs: number): void {
    this.note();
    this.timer = undefined;
    const { limit, leastMs } = this.options;
    // Ms per answer with the peak of attempts in flight. NaN when there was no attempt.
    const msPerAnswer = this.busyMs / this.answers / this.peak;
    const pace = Math.max(msPerAnswer || 0, leastMs());
    const isSlow = limit * pace > patienceMs || (this.size + this.deferred) * pace > DEFERRED_PATIENCE * patienceMs;
    if (isSlow) this.setSlow(true);
    else if (this.size >= limit || this.deferred > 0) this.measure();
  }

  private setSlow(isSlow: boolean): void {
    if (this.isSlow === isSlow) return;
    this.isSlow = isSlow;
    this.sizeWhenSlow = isSlow ? this.size : 0;
    this.options.onChange();
    this.makeRoom();
  }
}
