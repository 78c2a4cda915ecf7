import type { HoldReason } from '#common/domain/hold.js';
import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import { Backlog, type BacklogOptions } from './backlog.js';
import { Rate } from './rate.js';

/** Limits and hold of an endpoint, by its configuration. */
export interface GateSettings {
  readonly maxInFlight: number;
  /** This process's share of the endpoint's rate limit; undefined for none. */
  readonly perSecond: number | undefined;
  readonly hold: Exclude<HoldReason, 'slow'> | undefined;
}

/** A lane's request to make one attempt. */
export interface Turn {
  readonly log: OwnedLog;
  /** When its delivery was parked, ms since the epoch; undefined when it comes from the log. */
  readonly parkedAt: number | undefined;
  /** The half-open breaker lets this one pass. */
  readonly isProbe: boolean;
  /** The gate admits the attempt. The gate's `leave` must be called when the endpoint has answered. */
  begin(): void;
  /** The gate does not admit the attempt: the endpoint holds. */
  withdraw(): void;
}

export interface GateOptions {
  /** Deliveries from the log that may be in memory. */
  readonly queueLimit: number;
  /** See {@link BacklogOptions}. */
  readonly patience: BacklogOptions['patience'];
  /** Attempts per second of deliveries that a hold parked. The limit protects an endpoint that just recovered. */
  readonly drainPerSecond: number;
  readonly now: () => number;
  /** Called when the hold begins, ends or changes its reason. */
  readonly onHold: (reason: HoldReason | undefined) => void;
  /** Called when the backlog is no longer full. */
  readonly onRoom: () => void;
}

/**
 * One endpoint's gate: counts its attempts in flight, and decides which turn begins next and when. A hanging endpoint holds
 * only its own slots.
 */
export class EndpointGate {
  private fresh: Turn[] = [];
  /** Of rows that were parked before the last hold ended. */
  private drains: Turn[] = [];
  private readonly backlog: Backlog;
  private isHalted = false;
  private timer: NodeJS.Timeout | undefined;
  private readonly drainRate: Rate;
  private rate: Rate | undefined;
  /** When the last hold ended, ms since the epoch. A new gate counts rows parked before its creation as drains. */
  private heldUntil: number;

  constructor(
    private settings: GateSettings,
    private readonly options: GateOptions,
  ) {
    const { queueLimit: limit, patience, now } = options;
    this.backlog = new Backlog({
      limit,
      patience,
      leastMs: () => (this.settings.perSecond === undefined ? 0 : 1_000 / this.settings.perSecond),
      now,
      onChange: () => this.slownessChanged(),
      onRoom: options.onRoom,
    });
    this.drainRate = new Rate(options.drainPerSecond, options.now());
    this.heldUntil = options.now();
    this.setRate(settings.perSecond);
  }

  get hold(): HoldReason | undefined {
    return this.settings.hold ?? (this.backlog.isSlow ? 'slow' : undefined);
  }

  /** How many more lanes may start to drain without making the endpoint slow. */
  get room(): number {
    return Math.max(0, Math.floor(this.options.queueLimit / 2) - this.waiting);
  }

  /** The backlog has as many deliveries as it may have. */
  get isFull(): boolean {
    return this.backlog.isFull;
  }

  get isIdle(): boolean {
    return this.backlog.isEmpty && this.waiting === 0;
  }

  /** Idle, and as a new gate would be: rates have all their tokens. */
  get isAtRest(): boolean {
    const now = this.options.now();
    return this.isIdle && this.drainRate.isFull(now) && (this.rate === undefined || this.rate.isFull(now));
  }

  change(settings: GateSettings): void {
    const before = this.hold;
    this.settings = settings;
    this.setRate(settings.perSecond);
    this.afterChange(before);
    this.pump();
  }

  /** Before a rebalance no attempt begins; turns keep their places in the queue. */
  halt(isHalted: boolean): void {
    this.isHalted = isHalted;
    this.pump();
  }

  /**
   * A delivery of this endpoint was read from the log, or finished.
   *
   * @param places of the queue that it takes; below 0 it leaves them
   */
  count(places: number): void {
    if (places > 0) this.backlog.add(places);
    else this.backlog.remove(-places);
  }

  /** Deliveries of this endpoint were deferred, or read again. @param change below 0 when fewer are deferred */
  countDeferred(change: number): void {
    this.backlog.countDeferred(change);
  }

  ask(turn: Turn): void {
    const isDrain = turn.isProbe || (turn.parkedAt !== undefined && turn.parkedAt <= this.heldUntil);
    (isDrain ? this.drains : this.fresh).push(turn);
    this.pump();
  }

  leave(): void {
    this.backlog.end();
    this.pump();
  }

  /** Why turns of this partition wait here, though the gate works; undefined when none does. */
  waitsFor(log: OwnedLog): string | undefined {
    if (![...this.drains, ...this.fresh].some((turn) => turn.log === log)) return undefined;
    if (this.backlog.inFlight > 0) return 'attempts under way';
    return this.rate !== undefined && this.rate.waitMs(this.options.now()) > 0 ? 'a rate limit' : undefined;
  }

  private get waiting(): number {
    return this.fresh.length + this.drains.length;
  }

  private setRate(perSecond: number | undefined): void {
    if (perSecond === undefined) this.rate = undefined;
    else if (this.rate) this.rate.change(perSecond);
    else this.rate = new Rate(perSecond, this.options.now());
  }

  /** A hold by configuration keeps its reason. */
  private slownessChanged(): void {
    if (this.settings.hold === undefined) this.notifyHold(this.hold);
  }

  private notifyHold(hold: HoldReason | undefined): void {
    if (hold === undefined) this.heldUntil = this.options.now();
    this.options.onHold(hold);
  }

  private afterChange(before: HoldReason | undefined): void {
    const after = this.hold;
    if (after === before) return;
    this.notifyHold(after);
    if (after === undefined || after === 'slow') return;
    // Turns that have not begun return to their lanes, which park the deliveries. A probe cannot be signed without its key.
    const stays = (turn: Turn) => turn.isProbe && after !== 'key_missing';
    const waiting = [...this.drains, ...this.fresh];
    this.drains = this.drains.filter(stays);
    this.fresh = [];
    for (const turn of waiting) if (!stays(turn)) turn.withdraw();
  }

  private pump(): void {
    clearTimeout(this.timer);
    while (!this.isHalted && this.backlog.inFlight < this.settings.maxInFlight) {
      const next = this.next();
      if (next === undefined) return;
      if (typeof next === 'number') {
        this.timer = setTimeout(() => this.pump(), next);
        return;
      }
      this.backlog.begin();
      next.begin();
    }
  }

  /** @returns the next turn; the ms until it may begin; undefined without a turn. Drains, which are older, go first */
  private next(): Turn | number | undefined {
    for (const queue of [this.drains, this.fresh]) {
      while (queue[0]?.log.lost.aborted) queue.shift();
    }
    const [drain] = this.drains;
    if (drain === undefined && this.fresh.length === 0) return undefined;
    const now = this.options.now();
    const rateMs = this.rate?.waitMs(now) ?? 0;
    if (rateMs > 0) return rateMs;
    const drainMs = drain === undefined || drain.isProbe ? 0 : this.drainRate.waitMs(now);
    const isDrain = drain !== undefined && drainMs === 0;
    if (!isDrain && this.fresh.length === 0) return drainMs;
    this.rate?.take(now);
    if (isDrain && !drain.isProbe) this.drainRate.take(now);
    return isDrain ? this.drains.shift() : this.fresh.shift();
  }
}
