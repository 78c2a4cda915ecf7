import type { Scene } from './lane-scene.js';
import { NEVER, type Steps, Task } from './lane-task.js';

/** Beyond this number, finished steps are left out. */
const MANY_TASKS = 20;

/** One simulated process: what is under way in it, and how it reaches Kafka and the database. */
export class Process {
  tasks: Task[] = [];
  mustStop = false;
  /** The database's; raised when the log is taken over. */
  epoch = 0;

  /** @param generation Kafka's number of this process's ownership */
  constructor(
    private readonly world: Scene,
    readonly generation: number,
  ) {}

  /** False for a zombie: another process owns the log, and this one does not know yet. */
  get isOwner(): boolean {
    return this.world.generation === this.generation;
  }

  spawn(begin: (task: Task) => Steps): void {
    this.tasks.push(new Task(begin));
  }

  /** Adds the tasks that can go on. */
  addReady(ready: Task[]): void {
    if (this.tasks.length > MANY_TASKS) this.tasks = this.tasks.filter(({ isDone }) => !isDone);
    for (const task of this.tasks) if (task.isReady) ready.push(task);
  }

  stop(): void {
    this.mustStop = true;
  }

  trace(what: string): void {
    this.world.trace(`owner ${this.generation} ${what}`);
  }

  /** Until the answer says that it was stored; it may be stored more than once. */
  *produce(task: Task, what: string, effect: () => void): Steps {
    yield* this.insist(task, what, () => {
      this.trace(what);
      effect();
      return true;
    });
  }

  /** Under the fence; repeated until its outcome is known. */
  *transact(task: Task, what: string, effect: () => void): Steps {
    this.world.referee.tally.transactions++;
    yield () => this.world.step >= this.world.databaseAwayUntil || !this.world.isFaulty;
    yield* this.insist(task, what, () => {
      const isFenced = this.world.database.epoch !== this.epoch;
      this.trace(`transaction: ${what}${isFenced ? ' FENCED' : ''}`);
      if (!isFenced || this.world.bug === 'no fence') effect();
      return !isFenced || this.world.bug === 'no fence';
    });
  }

  private *insist(task: Task, what: string, effect: () => boolean): Steps {
    const { world } = this;
    for (;;) {
      task.inAir = effect;
      yield;
      task.inAir = undefined;
      const isLost = world.isFaulty && world.random.chance(world.shape.answerLost);
      const isDone = !isLost || world.random.chance(500);
      if (!isDone && world.random.chance(world.shape.statementLate)) world.late.push(effect);
      if (isDone && !effect()) {
        this.stop();
        yield NEVER;
      }
      if (!isLost || world.bug === 'does not repeat what may have failed') break;
      this.trace(`hears no answer: ${what}`);
    }
    yield;
  }
}
