import TinyQueue from 'tinyqueue';

/** Start time of histories, ms since the epoch. */
export const BEGINNING = Date.UTC(2026, 0, 1);

/** Longest timer of Node. It treats longer ones, and values that are no numbers, as 1 ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A simulated process with its own clock. It stops when killed, and waits while frozen. */
export class Host {
  isAlive = true;
  isFrozen = false;
  /** Error of its wall clock, ms. Timers do not follow it, as in Node. */
  clockOffsetMs = 0;
  /** Answers that arrived while the process was frozen. */
  readonly missed: Moment[] = [];

  constructor(readonly name: string) {}
}

/** A scheduled callback in virtual time. */
export class Moment {
  isCancelled = false;

  constructor(
    public at: number,
    readonly order: number,
    readonly host: Host,
    readonly run: () => void,
    readonly isTimer: boolean,
    /** Interval after which the callback repeats, ms. */
    readonly everyMs: number | undefined,
  ) {}

  /** Part of Node's timer interface, without effect here. */
  unref(): this {
    return this;
  }
}

/**
 * Virtual time, which advances only to the next callback. All promise reactions of a callback run before the next
 * callback. Each callback belongs to one process, whose clock applies.
 */
export class VirtualTime {
  now = BEGINNING;
  /** The process of the present callback. */
  current: Host;
  private readonly queue = new TinyQueue<Moment>([], sooner);
  private order = 0;

  /** @param world host of everything outside processes: networks, servers, faults */
  constructor(readonly world: Host) {
    this.current = world;
  }

  /** The present process's wall clock, whole ms since the epoch. */
  get clock(): number {
    return Math.floor(this.now) + this.current.clockOffsetMs;
  }

  /** Schedules a callback of the outside after `ms`; with a host, as an answer to that process. */
  after(ms: number, run: () => void, host: Host = this.world): Moment {
    return this.plan(ms, run, host, false);
  }

  /** Sets a timer of the present process. */
  timer(run: () => void, ms: number, isRepeated: boolean): Moment {
    const waitMs = ms >= 1 && ms <= LONGEST_TIMER_MS ? ms : 1;
    return this.plan(waitMs, run, this.current, true, isRepeated ? waitMs : undefined);
  }

  /** Runs code at once as this process. The code must not start promise reactions. */
  as<Result>(host: Host, run: () => Result): Result {
    const before = this.current;
    this.current = host;
    try {
      return run();
    } finally {
      this.current = before;
    }
  }

  /** Runs the next callback. @returns false without callbacks */
  step(): boolean {
    const moment = this.queue.pop();
    if (moment === undefined) return false;
    const { host } = moment;
    if (moment.isCancelled || !host.isAlive) return true;
    if (host.isFrozen) {
      host.missed.push(moment);
      return true;
    }
    this.now = Math.max(this.now, moment.at);
    this.current = host;
    moment.run();
    settlePromises();
    this.current = this.world;
    if (moment.everyMs !== undefined && !moment.isCancelled) this.queue.push(this.renewed(moment, moment.everyMs));
    return true;
  }

  /** Runs the callbacks that the process missed while frozen: timers first, as in Node. */
  thaw(host: Host): void {
    host.isFrozen = false;
    const missed = host.missed.splice(0);
    missed.sort((a, b) => Number(b.isTimer) - Number(a.isTimer) || sooner(a, b));
    missed.forEach((moment, index) => {
      moment.at = this.now + index / 1_000;
      this.queue.push(moment);
    });
  }

  private plan(ms: number, run: () => void, host: Host, isTimer: boolean, everyMs?: number): Moment {
    if (!(ms >= 0)) throw new RangeError(`invalid delay: ${ms} ms`);
    const moment = new Moment(this.now + ms, this.order++, host, run, isTimer, everyMs);
    this.queue.push(moment);
    return moment;
  }

  private renewed(moment: Moment, everyMs: number): Moment {
    moment.at = this.now + everyMs;
    return moment;
  }
}

function sooner(a: Moment, b: Moment): number {
  return a.at - b.at || a.order - b.order;
}

/**
 * Runs promise reactions, as Node does between two callbacks of its event loop. A turn of the real loop would cost ten
 * times as much (measured: 3.8 µs instead of 0.27 µs).
 */
const { _tickCallback: tick } = process as typeof process & { readonly _tickCallback?: () => void };

function settlePromises(): void {
  if (tick === undefined) throw new Error('this Node has no process._tickCallback');
  tick();
}
