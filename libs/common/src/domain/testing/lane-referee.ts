import type { Lane, LaneItem } from '../lane-machine.js';
import type { SimulatedDatabase } from './lane-database.js';
import type { Delivery, LogRecord } from './lane-delivery.js';
import type { Shape } from './lane-shape.js';

type Item = LaneItem<Delivery>;

/** What the referee looks at. */
export interface Ground {
  readonly shape: Shape;
  readonly step: number;
  readonly log: readonly LogRecord[];
  readonly tier: LogRecord[];
  readonly database: SimulatedDatabase<Delivery>;
  readonly deliveries: readonly Delivery[];
  readonly committed: { readonly offset: number; readonly metadata: string };
  trace(what: string): void;
}

/** What was counted in one history, or in many. */
export interface Tally {
  steps: number;
  sends: number;
  repeats: number;
  staleRecords: number;
  handedOverAgain: number;
  transactions: number;
  zombieSends: number;
}

export const emptyTally = (): Tally => ({
  steps: 0,
  sends: 0,
  repeats: 0,
  staleRecords: 0,
  handedOverAgain: 0,
  transactions: 0,
  zombieSends: 0,
});

/** Watches a history from outside, and says what broke. */
export class Referee {
  readonly tally = emptyTally();
  readonly violations: string[] = [];
  /** Delivered or dead, in whichever life. */
  private readonly ended = new Set<number>();
  private readonly wasDead = new Set<number>();
  private readonly accepted = new Set<number>();
  /** By lane: the highest index among the first acceptances. */
  private readonly lastAccepted = new Map<string, number>();
  /** Steps in which a delivery last came to an end, or was accepted. */
  private readonly lastEnd = new Map<number, number>();
  private readonly replays: { readonly id: number; readonly step: number }[] = [];
  private readonly sent = new Set<string>();
  /** By attempt, or by life: how many more times it may be sent again. */
  private readonly excuses = new Map<string, number>();
  /** Places whose outcome is stored. */
  readonly overPlaces = new Set<number>();

  constructor(private readonly ground: Ground) {}

  fault(what: string): void {
    this.violations.push(what);
    this.ground.trace(`VIOLATION: ${what}`);
  }

  /**
   * The same attempt of the same life may be sent once more, or, without an attempt, each of them. An unordered delivery
   * then continues in two chains, each with all its attempts.
   */
  excuse({ id, life, isOrdered }: Delivery, attempt?: number): void {
    const isEach = !isOrdered || attempt === undefined;
    const key = isEach ? `${id}/${life}` : `${id}/${life}/${attempt}`;
    this.excuses.set(key, (this.excuses.get(key) ?? 0) + (isEach ? this.ground.shape.maxAttempts : 1));
  }

  /** A record was, or may have been, stored twice: in a lane that has no row, both go on. */
  excuseFork(delivery: Delivery): void {
    if (!delivery.isOrdered) this.excuse(delivery);
  }

  /** @param isZombie sent by a process that lost the partition, or is dead */
  sending({ work, attempt }: Item, isZombie: boolean): void {
    this.tally.sends++;
    if (isZombie) this.tally.zombieSends++;
    const key = `${work.id}/${work.life}/${attempt}`;
    if (this.sent.has(key)) {
      this.tally.repeats++;
      if (!this.isExcused(key) && !this.isExcused(`${work.id}/${work.life}`))
        this.fault(`unexplained repeat of ${key}`);
    }
    this.sent.add(key);
    if (!work.isOrdered || work.life > 0 || isZombie) return;
    for (let index = 0; index < work.index; index++) {
      const before = work.id - work.index + index;
      if (!this.ended.has(before)) this.fault(`order: ${work.id} attempted while ${before} is not over`);
    }
  }

  private isExcused(key: string): boolean {
    const left = this.excuses.get(key) ?? 0;
    if (left > 0) this.excuses.set(key, left - 1);
    return left > 0;
  }

  accepting({ work }: Item, isZombie: boolean): void {
    this.lastEnd.set(work.id, this.ground.step);
    if (this.accepted.has(work.id)) return;
    this.accepted.add(work.id);
    if (!work.isOrdered || this.wasDead.has(work.id)) return;
    const last = this.lastAccepted.get(work.lane) ?? -1;
    if (work.index >= last) this.lastAccepted.set(work.lane, work.index);
    else if (!isZombie) this.fault(`order: first acceptance of ${work.id} after a later one`);
  }

  ending({ work, place }: Item, isDead: boolean): void {
    this.ended.add(work.id);
    this.overPlaces.add(place);
    this.lastEnd.set(work.id, this.ground.step);
    if (isDead) this.wasDead.add(work.id);
  }

  replaying(id: number): void {
    this.replays.push({ id, step: this.ground.step });
  }

  /**
   * A record may be finished only when its delivery is over, or is safe somewhere else.
   *
   * @param finished offsets the same owner has finished before
   */
  finishing(item: Item, finished: ReadonlySet<number>): void {
    const { ground } = this;
    const parked = ground.database.parkedAt(item.work.lane, item.place);
    const isSafe =
      this.overPlaces.has(item.place) ||
      (parked !== undefined && parked.attempt >= item.attempt) ||
      ground.tier.some(({ place }) => place === item.place) ||
      ground.log.some(
        ({ kind, place, attempt }, offset) =>
          kind === 'return' &&
          place === item.place &&
          (attempt > item.attempt || (attempt === item.attempt && !finished.has(offset) && offset !== item.offset)),
      );
    if (!isSafe) this.fault(`finished @${item.offset} while ${item.work.id} is not safe`);
  }

  /** What must hold after every step of a lane. */
  checkLane(key: string, lane: Lane<Delivery>): void {
    if (lane.turn || lane.pending || lane.queue.length === 0) return;
    this.fault(`memory: ${lane.queue.length} records wait in lane ${key}, and nothing is under way`);
  }

  /** Once faults have stopped and nothing more happens: everything is over, and nothing is left behind. */
  checkEnd(lanes: ReadonlyMap<string, Lane<Delivery>>): void {
    this.checkDeliveries();
    this.checkDatabase();
    this.checkMemory(lanes);
    const { committed, log } = this.ground;
    if (committed.offset < log.length) this.fault(`stuck: the commit stands at ${committed.offset} of ${log.length}`);
  }

  private checkDeliveries(): void {
    for (const { id } of this.ground.deliveries)
      if (!this.ended.has(id)) this.fault(`lost: ${id} is neither delivered nor dead`);
    for (const { id, step } of this.replays) {
      if ((this.lastEnd.get(id) ?? -1) <= step) this.fault(`lost: the replay of ${id}`);
    }
  }

  private checkDatabase(): void {
    const { database } = this.ground;
    for (const lane of database.lanesWithParked()) this.fault(`stuck: lane ${lane} has parked rows`);
    for (const [lane, row] of database.rows) {
      if (row.attempt !== undefined) this.fault(`stuck: lane ${lane} has a head`);
    }
  }

  private checkMemory(lanes: ReadonlyMap<string, Lane<Delivery>>): void {
    for (const [key, lane] of lanes) {
      if (lane.queue.length > 0) this.fault(`stuck: records of lane ${key} wait in memory`);
      if (lane.parked !== 'none') this.fault(`stuck: lane ${key} does not flow`);
    }
  }
}
