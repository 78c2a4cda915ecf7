import {
  isIdle,
  isParked,
  type Lane,
  type LaneEffect,
  type LaneEvent,
  type LaneItem,
  mustBeLoaded,
  newLane,
} from '../lane-machine.js';
import { type Step, stepWith } from './lane-bugs.js';
import type { Delivery } from './lane-delivery.js';
import type { Process } from './lane-process.js';
import type { Scene } from './lane-scene.js';
import { NEVER, type Steps, type Task } from './lane-task.js';

type Item = LaneItem<Delivery>;
type Event = LaneEvent<Delivery>;
type Effect = LaneEffect<Delivery>;

/** What the lanes need to know from the owner of the log. */
export interface LogView {
  isHeld(endpoint: number): boolean;
  /** The next offset to be read. */
  readonly position: number;
  finish(item: Item, isStale: boolean): void;
}

/** The simplest shell the lane machine can have: performs what lanes ask for, one task each. */
export class LaneShell {
  readonly lanes = new Map<string, Lane<Delivery>>();
  /** Lanes the database is asked about before anything of them is judged. */
  readonly toLoad = new Set<string>();
  /** Offsets whose record was sent. */
  readonly sentOffsets = new Set<number>();
  private readonly attempting = new Set<string>();
  private readonly probing = new Set<string>();
  private readonly transacting = new Set<string>();
  /** By lane, the last attempt that was asked for. */
  private readonly begun = new Map<string, Item>();
  private readonly outcomes = new Map<string, 'delivered' | 'dead'>();
  private readonly step: Step;

  constructor(
    private readonly world: Scene,
    private readonly process: Process,
    private readonly log: LogView,
  ) {
    this.step = stepWith(world.bug);
  }

  feed(key: string, event: Event): void {
    let lane = this.lanes.get(key);
    if (!lane) {
      const { isOrdered, endpoint } = this.world.laneNamed(key);
      lane = newLane(isOrdered, !this.toLoad.has(key), this.log.isHeld(endpoint));
      this.lanes.set(key, lane);
    }
    for (const effect of this.step(lane, event)) this.perform(key, effect);
    this.world.referee.checkLane(key, lane);
    if (isIdle(lane)) this.endProbe(key);
    if (this.world.shape.forgetsAtOnce && isIdle(lane) && this.lanes.get(key) === lane) this.forget(key, lane);
  }

  forget(key: string, lane: Lane<Delivery>): void {
    this.world.trace(`lane ${key} is forgotten, ${isParked(lane) ? 'parked' : 'flowing'}`);
    this.lanes.delete(key);
    const { bug } = this.world;
    const isIgnored =
      (bug === 'forgets that a lane is parked' && isParked(lane)) ||
      (bug === 'forgets what is over and read again' && !isParked(lane));
    if (mustBeLoaded(lane, this.log.position) && !isIgnored) this.toLoad.add(key);
    else this.toLoad.delete(key);
  }

  /** The lane may make one attempt although its endpoint holds. */
  probe(key: string): void {
    this.probing.add(key);
    this.feed(key, { type: 'held', isHeld: false });
  }

  /** Attempts under way here may be repeated by another owner. */
  excuseInFlight(): void {
    for (const [key, { turn }] of this.lanes) {
      const isBegun = turn && this.begun.get(key) === turn.item;
      if (isBegun) this.world.referee.excuse(turn.item.work, turn.item.attempt);
    }
  }

  private endProbe(key: string): void {
    if (!this.probing.delete(key)) return;
    this.feed(key, { type: 'held', isHeld: this.log.isHeld(this.world.laneNamed(key).endpoint) });
  }

  private perform(key: string, effect: Effect): void {
    switch (effect.type) {
      case 'load':
        this.beginTransaction(key, (task) => this.load(task, key));
        return;
      case 'attempt':
        this.beginAttempt(key, effect.item);
        return;
      case 'settle':
        this.process.spawn((task) => this.settle(task, key, effect.item, this.outcomes.get(key) === 'dead'));
        return;
      case 'giveUp':
        this.process.spawn((task) => this.settle(task, key, effect.item, true));
        return;
      case 'handOver':
        this.process.spawn((task) => this.handOver(task, key, effect));
        return;
      case 'transact':
        this.beginTransaction(key, (task) => this.change(task, key, effect));
        return;
      case 'readPage':
        this.beginTransaction(key, (task) => this.readPage(task, key));
        return;
      case 'finish':
        this.log.finish(effect.item, effect.isStale);
        return;
    }
  }

  private beginTransaction(key: string, begin: (task: Task) => Steps): void {
    if (this.transacting.has(key)) this.world.referee.fault(`two transactions of lane ${key} at once`);
    this.transacting.add(key);
    this.process.spawn(begin);
  }

  private *load(task: Task, key: string): Steps {
    const { database } = this.world;
    let loaded: Event = { type: 'loaded', row: undefined, lowestParked: undefined };
    yield* this.process.transact(task, `load lane ${key}`, () => {
      loaded = { type: 'loaded', row: database.rows.get(key), lowestParked: database.lowest(key, 1)[0]?.place };
    });
    this.transacting.delete(key);
    this.feed(key, loaded);
  }

  private *readPage(task: Task, key: string): Steps {
    const { database, shape } = this.world;
    let rows: readonly Item[] = [];
    yield* this.process.transact(task, `read parked rows of ${key}`, () => {
      rows = database.lowest(key, shape.pageSize);
    });
    this.transacting.delete(key);
    if (rows.length === 0) this.endProbe(key);
    this.feed(key, { type: 'pageRead', rows });
  }

  private *change(task: Task, key: string, { transaction }: Extract<Effect, { type: 'transact' }>): Steps {
    const { row, park, removeUpTo, remove } = transaction;
    const what = `lane ${key}: ${row ? `row ${row.place}/${row.attempt ?? 'over'} ` : ''}${
      park ? `park [${park.map(({ place, attempt }) => `${place}/${attempt}`)}] ` : ''
    }${removeUpTo === undefined ? '' : `remove to ${removeUpTo}`}${remove ? `remove ${remove.place}/${remove.attempt}` : ''}`;
    const answer = () => {
      this.transacting.delete(key);
      this.feed(key, { type: 'transacted' });
    };
    const isBelieved = this.world.bug === 'believes a transaction before it is stored';
    if (isBelieved) answer();
    let copies = 0;
    yield* this.process.transact(task, what, () => {
      this.world.database.transact(key, transaction);
      copies++;
      for (const { work, offset } of park ?? []) {
        if (copies > 1) this.world.referee.excuseFork(work);
        // Nothing calls it over when it is read again.
        if (!work.isOrdered && offset !== undefined) this.world.doneOffsets.add(offset);
      }
    });
    if (!isBelieved) answer();
  }

  private *settle(task: Task, key: string, item: Item, isDead: boolean): Steps {
    yield* this.process.produce(task, `${isDead ? 'dlq' : 'attempts'}: ${item.work.id}`, () => {
      if (isDead) this.world.deadLetters.push(item);
      this.world.referee.ending(item, isDead);
    });
    this.feed(key, { type: 'settled' });
  }

  private *handOver(task: Task, key: string, { item, attempt, isAgain }: Extract<Effect, { type: 'handOver' }>): Steps {
    const { place, work } = item;
    if (isAgain) this.world.referee.tally.handedOverAgain++;
    let copies = 0;
    yield* this.process.produce(task, `tier: ${work.id} attempt ${attempt}`, () => {
      this.world.tier.push({ kind: 'return', delivery: work, place, attempt });
      if (++copies > 1) this.world.referee.excuseFork(work);
    });
    this.feed(key, { type: 'handedOver' });
  }

  private beginAttempt(key: string, item: Item): void {
    const { referee } = this.world;
    if (this.attempting.has(key)) referee.fault(`two attempts of lane ${key} at once`);
    const isHeld = this.log.isHeld(item.work.endpoint) && !this.probing.has(key);
    if (isHeld) referee.fault(`lane ${key} is attempted while its endpoint holds`);
    this.attempting.add(key);
    this.begun.set(key, item);
    this.process.spawn((task) => this.attempt(task, key, item));
  }

  private *attempt(task: Task, key: string, item: Item): Steps {
    const { world } = this;
    // Without a heartbeat nothing is begun (rule 8); frozen after this, a zombie sends its one request all the same.
    if (!this.process.isOwner) yield NEVER;
    yield;
    if (this.log.isHeld(item.work.endpoint) && !this.probing.has(key) && world.random.chance(500))
      return this.withdraw(key, item);
    yield;
    if (item.offset !== undefined) this.sentOffsets.add(item.offset);
    task.inAir = () => this.send(item, true);
    yield;
    task.inAir = undefined;
    const isAccepted = this.send(item, !this.process.isOwner);
    yield;
    const { maxAttempts, maxAttemptsOfReplay } = world.shape;
    const isLast = item.attempt + 1 >= (item.work.life > 0 ? maxAttemptsOfReplay : maxAttempts);
    this.attempting.delete(key);
    this.outcomes.set(key, isAccepted ? 'delivered' : 'dead');
    this.endProbe(key);
    this.feed(key, { type: 'attempted', verdict: isAccepted || isLast ? 'over' : 'retry' });
  }

  /** Its endpoint had no room for it, and now holds. */
  private withdraw(key: string, item: Item): void {
    this.world.trace(`attempt of ${item.work.id} is withdrawn`);
    this.attempting.delete(key);
    this.begun.delete(key);
    this.endProbe(key);
    this.feed(key, { type: 'withdrawn' });
  }

  /** @returns true when the endpoint accepted it, and the answer arrived */
  private send(item: Item, isZombie: boolean): boolean {
    const { random, referee, shape, isFaulty } = this.world;
    referee.sending(item, isZombie);
    const fails = isFaulty && random.chance(shape.attemptFails);
    const isLost = isFaulty && random.chance(shape.answerLost);
    const answer = fails ? 'fails' : isLost ? 'accepts, answer lost' : 'accepts';
    this.world.trace(`SEND ${item.work.id} attempt ${item.attempt}${isZombie ? ', by a zombie' : ''}: ${answer}`);
    if (!fails) referee.accepting(item, isZombie);
    return !fails && !isLost;
  }
}
