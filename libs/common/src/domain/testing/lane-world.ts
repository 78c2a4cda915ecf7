import { encodeFinished } from '../finished-runs.js';
import type { LaneItem } from '../lane-machine.js';
import type { Bug } from './lane-bugs.js';
import { SimulatedDatabase } from './lane-database.js';
import type { Delivery, LogRecord } from './lane-delivery.js';
import { Owner } from './lane-owner.js';
import { Referee } from './lane-referee.js';
import type { Scene } from './lane-scene.js';
import { deliveriesOf, type Fault, type Shape } from './lane-shape.js';
import type { Task } from './lane-task.js';
import type { Random } from './random.js';

const QUIET_STEPS = 6_000;
/** Reads and commits are paced: nothing may happen for so long, and then go on. */
const MOST_IDLE_STEPS = 25;

/**
 * The surroundings of the lane machine: a log with its commits, the tiers and their scheduler, the router, dead letters,
 * the database, and processes that own the log one after the other. Every step is one random choice among the possible next
 * ones. After a while faults stop, and the world must become idle.
 */
export class World implements Scene {
  readonly log: LogRecord[] = [];
  readonly tier: LogRecord[] = [];
  readonly deadLetters: LaneItem<Delivery>[] = [];
  committed: { readonly offset: number; readonly metadata: string } = { offset: 0, metadata: '' };
  readonly database: SimulatedDatabase<Delivery>;
  readonly referee: Referee;
  readonly deliveries: readonly Delivery[];
  readonly held: boolean[];
  readonly late: (() => void)[] = [];
  readonly doneOffsets = new Set<number>();
  generation = 0;
  owner: Owner;
  isFaulty = true;
  databaseAwayUntil = 0;
  step = 0;
  readonly story: string[] = [];
  private owners: Owner[] = [];
  private routed = 0;
  private readonly left: Record<Fault, number>;

  constructor(
    readonly shape: Shape,
    readonly random: Random,
    readonly bug: Bug | undefined,
    private readonly isTold: boolean,
  ) {
    this.left = { ...shape.faults };
    this.database = new SimulatedDatabase(shape.isStrict, bug);
    this.referee = new Referee(this);
    this.deliveries = deliveriesOf(shape);
    this.held = Array.from({ length: shape.endpoints }, () => false);
    this.owner = this.elect();
  }

  /** Lives through one history. @returns what the referee found wrong */
  run(): readonly string[] {
    const size = 250 + this.deliveries.length * 40;
    const faultySteps = Math.floor(size / 2) + this.random.pick(size);
    this.takeSteps(faultySteps);
    this.referee.tally.steps = this.step;
    if (this.referee.violations.length > 0) return this.referee.violations;
    if (this.step >= faultySteps + QUIET_STEPS) this.referee.fault('stuck: it does not come to rest');
    else this.referee.checkEnd(this.owner.shell.lanes);
    return this.referee.violations;
  }

  private takeSteps(faultySteps: number): void {
    let idleSteps = 0;
    for (; this.step < faultySteps + QUIET_STEPS && this.referee.violations.length === 0; this.step++) {
      if (this.isFaulty && this.step >= faultySteps) this.calm();
      this.endZombies();
      if (this.isFaulty && this.random.chance(this.shape.faultPermille) && this.strike()) continue;
      idleSteps = this.happen() ? 0 : idleSteps + 1;
      if (idleSteps > 0 && !this.isFaulty) break;
      if (idleSteps > MOST_IDLE_STEPS) this.calm();
    }
  }

  trace(what: string): void {
    if (this.isTold) this.story.push(`${String(this.step).padStart(4)} ${what}`);
  }

  append(record: LogRecord): void {
    const { delivery, kind, attempt, place } = record;
    this.trace(
      `log@${this.log.length} <- ${kind} ${delivery.id} life ${delivery.life} attempt ${attempt} place ${place}`,
    );
    this.log.push(record);
  }

  commit(offset: number, finishedAbove: readonly number[]): void {
    const isCut = this.random.chance(this.shape.metadataCut);
    this.committed = { offset, metadata: encodeFinished(offset, finishedAbove, isCut ? 3 : undefined) };
    this.trace(`committed ${offset} and [${finishedAbove}]${isCut ? ', cut' : ''}`);
  }

  laneNamed(key: string): Delivery {
    const delivery = this.deliveries.find(({ lane }) => lane === key);
    if (!delivery) throw new Error(`there is no lane ${key}`);
    return delivery;
  }

  private calm(): void {
    this.isFaulty = false;
    this.held.fill(false);
    this.trace('--- faults stop');
  }

  private elect(): Owner {
    this.generation++;
    const owner = new Owner(this, this.generation);
    this.trace(`--- owner ${owner.process.generation}`);
    this.owners.push(owner);
    this.owner = owner;
    return owner;
  }

  private endZombies(): void {
    for (const owner of [...this.owners]) {
      if (owner === this.owner && owner.process.mustStop) {
        this.trace(`owner ${owner.process.generation} gives up`);
        owner.shell.excuseInFlight();
        this.end(owner);
        this.elect();
      } else if (owner !== this.owner && (owner.process.mustStop || !this.isFaulty || this.random.chance(30))) {
        this.trace(`zombie ${owner.process.generation} ends`);
        this.end(owner);
      }
    }
  }

  private end(owner: Owner): void {
    for (const { inAir } of owner.process.tasks) if (inAir && this.random.chance(500)) this.late.push(inAir);
    this.owners = this.owners.filter((other) => other !== owner);
  }

  /** Something goes wrong. @returns false when nothing can */
  private strike(): boolean {
    const faults = (Object.keys(this.left) as Fault[]).filter((fault) => this.left[fault] > 0);
    if (faults.length === 0) return false;
    const fault = this.random.among(faults);
    if (!this.faults[fault]()) return false;
    this.left[fault]--;
    return true;
  }

  /** Each returns false when there is nothing it could strike. */
  private readonly faults: Record<Fault, () => boolean> = {
    crash: () => {
      this.trace(`*** owner ${this.owner.process.generation} is killed`);
      this.owner.shell.excuseInFlight();
      this.end(this.owner);
      this.elect();
      return true;
    },
    loss: () => {
      this.trace(`*** owner ${this.owner.process.generation} loses the partition and goes on`);
      this.owner.shell.excuseInFlight();
      this.elect();
      return true;
    },
    routerRepeat: () => {
      if (this.routed === 0) return false;
      this.routed -= 1 + this.random.pick(this.routed);
      this.trace(`*** the router goes back to ${this.routed}`);
      return true;
    },
    returnRepeat: () => false,
    hold: () => {
      const endpoint = this.random.pick(this.held.length);
      this.held[endpoint] = !this.held[endpoint];
      this.trace(`*** endpoint ${endpoint} ${this.held[endpoint] ? 'holds' : 'takes again'}`);
      return true;
    },
    replay: () => {
      if (this.deadLetters.length === 0) return false;
      this.replay(this.random.among(this.deadLetters));
      return true;
    },
    expire: () => this.owner.expire(),
    skip: () => this.owner.skip(),
    probe: () => this.owner.probe(),
    outage: () => {
      this.databaseAwayUntil = this.step + 10 + this.random.pick(50);
      this.trace('*** the database is away');
      return true;
    },
    forget: () => this.owner.forget(),
    janitor: () => this.forgetEvidence(),
  };

  /** One more step of the world or of a process. @returns false when nothing can happen any more */
  private happen(): boolean {
    const events: (() => void)[] = [];
    if (this.routed < this.deliveries.length) events.push(() => this.route());
    if (this.tier.length > 0) events.push(() => this.giveBack());
    if (this.late.length > 0 && (!this.isFaulty || this.random.chance(100))) events.push(() => this.landLate());
    const tasks: Task[] = [];
    for (const owner of this.owners) {
      owner.addViewChanges(events);
      owner.process.addReady(tasks);
    }
    this.owner.addSweep(events);
    if (events.length + tasks.length === 0) return false;
    const choice = this.random.pick(events.length + tasks.length);
    events[choice]?.();
    tasks[choice - events.length]?.step();
    return true;
  }

  private route(): void {
    const delivery = this.deliveries[this.routed++];
    if (!delivery) return;
    if (this.log.some((record) => record.kind === 'first' && record.delivery.id === delivery.id)) {
      this.referee.excuse(delivery);
    }
    this.append({ kind: 'first', delivery, place: -1, attempt: 0 });
  }

  /** The scheduler returns what is due; when it dies before its commit, it will do so again. */
  private giveBack(): void {
    const index = this.random.pick(this.tier.length);
    const record = this.tier[index];
    if (!record) return;
    this.append(record);
    if (this.isFaulty && this.left.returnRepeat > 0 && this.random.chance(200)) {
      this.left.returnRepeat--;
      this.trace('*** the scheduler dies before it commits');
      this.referee.excuseFork(record.delivery);
      return;
    }
    this.tier.splice(index, 1);
  }

  private landLate(): void {
    const [effect] = this.late.splice(this.random.pick(this.late.length), 1);
    this.trace('(late)');
    effect?.();
  }

  private replay({ work, attempt, place }: LaneItem<Delivery>): void {
    const life = work.life + 1;
    const delivery = { ...work, life };
    if (this.log.some((record) => record.delivery.id === work.id && record.delivery.life === life)) {
      this.referee.excuse(delivery);
    }
    this.referee.replaying(work.id);
    this.append({ kind: 'replay', delivery, place, attempt });
  }

  /** Evidence goes after the longest tier delay and a day: nothing of the lane is on its way any more. */
  private forgetEvidence(): boolean {
    const { rows } = this.database;
    const onItsWay = (lane: string) =>
      this.late.length > 0 ||
      this.tier.some(({ delivery }) => delivery.lane === lane) ||
      this.log.some(({ delivery }, offset) => delivery.lane === lane && offset >= this.committed.offset);
    const old = [...rows].filter(
      ([lane, row]) => row.attempt === undefined && !this.database.hasParked(lane) && !onItsWay(lane),
    );
    if (old.length === 0) return false;
    const [lane] = this.random.among(old);
    rows.delete(lane);
    this.trace(`*** evidence of lane ${lane} is deleted`);
    return true;
  }
}
