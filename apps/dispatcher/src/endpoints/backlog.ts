export interface BacklogOptions {
  /** Deliveries that may be in memory, large ones counted several times. */
  readonly limit: number;
  /**
   * Called when a look begins; what it returns is called at its end, and says how many ms the endpoint may take for as many
   * deliveries before it counts as slower than its traffic.
   */
  readonly patience: () => () => number;
  /** By its rate limit an answer takes at least this many ms; 0 without a limit. */
  readonly leastMs: () => number;
  readonly now: () => number;
  /** Called when the endpoint becomes slow or is slow no more. */
  readonly onChange: () => void;
  /** Called when there is room again. */
  readonly onRoom: () => void;
}

const LOOK_MS = 500;
/**
 * Of a slow endpoint so many times the limit may be on their way to the database: the more share a statement, the sooner
 * all are there.
 */
const PARKING_ROOM = 2;

/**
 * What one endpoint has in memory, whether that is too much, and whether it is slower than its traffic. A number alone
 * does not tell: after a burst a fast endpoint has many deliveries waiting, too, or they wait for us, and parking them
 * would cost far more than to wait a moment. So the endpoint's own pace is looked at: how many answers it gives in the
 * time it is asked for any.
 */
export class Backlog {
  size = 0;
  /** Attempts under way. */
  inFlight = 0;
  isSlow = false;
  /** No more should be read for now. */
  isFull = false;
  /** What a slow endpoint has in memory stays there; only what comes later is parked, and must not pile up either. */
  private sizeWhenSlow = 0;
  /** Of this look: answers, sum over the attempts of the ms under way, and the most attempts under way at once. */
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
    if (this.size >= limit && !this.isSlow && this.timer === undefined) this.look();
  }

  remove(places: number): void {
    this.size -= places;
    this.makeRoom();
    if (this.size * 2 >= this.options.limit) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.become(false);
  }

  /** What may be in memory beside what was there when the endpoint turned out to be slow. */
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

  private look(): void {
    this.answers = 0;
    this.busyMs = 0;
    this.peak = this.inFlight;
    this.changedAt = this.options.now();
    const patienceMs = this.options.patience();
    // After a moment in which we were blocked, the answers that came meanwhile are read first.
    const judge = () => this.timer && this.judge(patienceMs());
    this.timer = setTimeout(() => setImmediate(judge), LOOK_MS);
  }

  private judge(patienceMs: number): void {
    this.note();
    this.timer = undefined;
    const { limit, leastMs } = this.options;
    // With all it takes at a time under way, an answer costs the endpoint so long. NaN when it was asked for none.
    const msPerAnswer = this.busyMs / this.answers / this.peak;
    if (limit * Math.max(msPerAnswer || 0, leastMs()) > patienceMs) this.become(true);
    else if (this.size >= limit) this.look();
  }

  private become(isSlow: boolean): void {
    if (this.isSlow === isSlow) return;
    this.isSlow = isSlow;
    this.sizeWhenSlow = isSlow ? this.size : 0;
    this.options.onChange();
    this.makeRoom();
  }
}
