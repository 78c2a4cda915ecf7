import { Watermark } from '../../collections/watermark.js';
import { decodeFinished } from '../finished-runs.js';
import { isIdle, isParked, type LaneItem } from '../lane-machine.js';
import type { Delivery } from './lane-delivery.js';
import { Process } from './lane-process.js';
import type { Scene } from './lane-scene.js';
import { LaneShell, type LogView } from './lane-shell.js';
import { NEVER, type Steps, type Task } from './lane-task.js';

type Item = LaneItem<Delivery>;

/** A simulated dispatcher that owns the log, or believes it does. */
export class Owner implements LogView {
  readonly process: Process;
  readonly shell: LaneShell;
  readonly finished = new Set<number>();
  position = 0;
  private readonly view: boolean[];
  /** Set when it begins to read. */
  private watermark: Watermark | undefined;

  constructor(
    private readonly world: Scene,
    generation: number,
  ) {
    this.view = [...world.held];
    this.process = new Process(world, generation);
    this.shell = new LaneShell(world, this.process, this);
    this.process.spawn((task) => this.own(task));
  }

  isHeld(endpoint: number): boolean {
    return this.view[endpoint] === true;
  }

  finish(item: Item, isStale: boolean): void {
    const { world } = this;
    if (item.offset === undefined) return;
    this.process.trace(`finishes @${item.offset}${isStale ? ', stale' : ''}`);
    if (isStale) world.referee.tally.staleRecords++;
    if (this.process.isOwner) world.referee.finishing(item, this.finished);
    this.finished.add(item.offset);
    this.watermark?.finish(item.offset);
    if (this.shell.sentOffsets.has(item.offset) || !item.work.isOrdered) world.doneOffsets.add(item.offset);
  }

  /** This owner hears of a hold, or of its end, when it happens to. */
  addViewChanges(events: (() => void)[]): void {
    for (const [endpoint, isHeld] of this.world.held.entries()) {
      if (this.view[endpoint] !== isHeld) events.push(() => this.see(endpoint, isHeld));
    }
  }

  /** What is parked of some lane is too old. @returns false when nothing is parked */
  expire(): boolean {
    const { database, random } = this.world;
    const parked = database.lanesWithParked();
    if (!this.watermark || parked.length === 0) return false;
    const lane = random.among(parked);
    const { place } = random.among(database.lowest(lane, 3));
    this.world.trace(`*** lane ${lane} is expired up to ${place}`);
    this.shell.feed(lane, { type: 'expired', place });
    return true;
  }

  /** An operator gives up what a lane waits for: its head, else its first parked row. @returns false when there is none */
  skip(): boolean {
    const { database, random } = this.world;
    const waiting = new Map<string, { place: number; attempt: number | undefined }>();
    for (const lane of database.lanesWithParked()) for (const item of database.lowest(lane, 1)) waiting.set(lane, item);
    for (const [lane, row] of database.rows) if (row.attempt !== undefined) waiting.set(lane, row);
    if (!this.watermark || waiting.size === 0) return false;
    const [lane, { place, attempt = 0 }] = random.among([...waiting]);
    const work = this.world.log[place]?.delivery;
    if (!work) return false;
    this.world.trace(`*** lane ${lane} is to skip ${place}`);
    this.shell.feed(lane, { type: 'skipped', item: { place, attempt, offset: undefined, work } });
    return true;
  }

  /** A statement that came late may have parked what has no row to call it over: the shell looks for such lanes. */
  addSweep(events: (() => void)[]): void {
    if (!this.watermark || !this.world.shape.hasUnordered) return;
    for (const key of this.world.database.lanesWithParked()) {
      const lane = this.shell.lanes.get(key);
      const isUnseen = lane ? isIdle(lane) && !isParked(lane) : !this.shell.toLoad.has(key);
      if (isUnseen && !this.world.laneNamed(key).isOrdered && !this.isHeld(this.world.laneNamed(key).endpoint))
        events.push(() => this.sweep(key));
    }
  }

  /** Half-open: one lane of an endpoint that holds makes one attempt. @returns false when none is parked */
  probe(): boolean {
    const parked = [...this.shell.toLoad].filter((key) => this.isHeld(this.world.laneNamed(key).endpoint));
    if (!this.watermark || parked.length === 0) return false;
    const key = this.world.random.among(parked);
    this.world.trace(`*** lane ${key} is to probe`);
    this.shell.probe(key);
    return true;
  }

  /** A lane that has nothing to do leaves the memory. */
  forget(): boolean {
    const idle = [...this.shell.lanes].filter(([, lane]) => isIdle(lane));
    if (idle.length === 0) return false;
    this.shell.forget(...this.world.random.among(idle));
    return true;
  }

  private sweep(key: string): void {
    this.shell.lanes.delete(key);
    this.shell.toLoad.add(key);
    this.shell.feed(key, { type: 'held', isHeld: false });
  }

  /** Rule 8: fence, prove, load, fetch the commit, read. */
  private *own(task: Task): Steps {
    const { world } = this;
    let { committed } = world;
    yield;
    this.process.epoch = ++world.database.epoch;
    this.process.trace(`raises the epoch to ${this.process.epoch}`);
    yield;
    if (!this.process.isOwner) return this.process.stop();
    yield* this.process.transact(task, 'load what is parked', () => this.loadKnown(committed.offset));
    yield;
    if (!world.shape.startsBeforeFence) ({ committed } = world);
    this.begin(committed);
    const { offset } = committed;
    this.process.spawn((commit) => this.commit(commit, offset));
    for (const [endpoint, isHeld] of this.view.entries()) if (!isHeld) this.wake(endpoint);
    const readSteps = world.random.among([0, world.shape.readSteps]);
    for (;;) {
      const due = world.step + readSteps;
      yield () => this.position < world.log.length && (world.step >= due || !world.isFaulty);
      this.read();
    }
  }

  private loadKnown(start: number): void {
    const { database, bug } = this.world;
    this.shell.toLoad.clear();
    for (const lane of database.lanesWithParked()) this.shell.toLoad.add(lane);
    for (const [lane, row] of database.rows) {
      const mayBeNeeded = row.place >= start && bug !== 'forgets what was over at the start';
      if (row.attempt !== undefined || mayBeNeeded) this.shell.toLoad.add(lane);
    }
  }

  private begin({ offset, metadata }: Scene['committed']): void {
    const { world } = this;
    const finishedAbove = decodeFinished(offset, metadata);
    this.watermark = new Watermark(offset, finishedAbove);
    this.position = offset;
    this.process.trace(`reads from ${offset}, except [${finishedAbove}]`);
    for (const done of world.doneOffsets) {
      const record = world.log[done];
      if (done < offset || finishedAbove.includes(done) || !record) continue;
      world.referee.excuse(record.delivery, record.kind === 'return' ? record.attempt : 0);
      world.doneOffsets.delete(done);
    }
  }

  private read(): void {
    const offset = this.position++;
    const record = this.world.log[offset];
    if (!record || !this.watermark?.begin(offset)) return;
    const { kind, delivery } = record;
    const keepsPlace = kind === 'return' || (kind === 'replay' && this.world.bug === 'replay keeps its place');
    const item: Item = {
      place: keepsPlace ? record.place : offset,
      attempt: kind === 'replay' ? 0 : record.attempt,
      offset,
      work: delivery,
    };
    this.shell.feed(delivery.lane, { type: 'arrived', item });
  }

  private *commit(task: Task, start: number): Steps {
    const { world, watermark } = this;
    if (!watermark) return;
    for (let finished = 0, offset = start; ; ) {
      yield () => this.finished.size !== finished || watermark.committable > offset;
      const due = world.step + world.shape.commitSteps;
      yield () => world.step >= due || !world.isFaulty;
      finished = this.finished.size;
      offset = world.bug === 'commits what is not finished' ? this.position : watermark.committable;
      const above = watermark.finishedAbove();
      const write = () => this.process.isOwner && world.commit(offset, above);
      task.inAir = write;
      yield;
      task.inAir = undefined;
      if (this.process.isOwner) write();
      else if (world.random.chance(300)) return this.process.stop();
      else yield NEVER;
    }
  }

  private see(endpoint: number, isHeld: boolean): void {
    this.process.trace(`sees that endpoint ${endpoint} ${isHeld ? 'holds' : 'takes again'}`);
    this.view[endpoint] = isHeld;
    for (const [key] of this.shell.lanes)
      if (this.world.laneNamed(key).endpoint === endpoint) this.shell.feed(key, { type: 'held', isHeld });
    if (!isHeld && this.watermark) this.wake(endpoint);
  }

  /** Parked lanes that are not in memory drain, too. */
  private wake(endpoint: number): void {
    for (const key of this.shell.toLoad) {
      if (this.world.laneNamed(key).endpoint === endpoint && !this.shell.lanes.has(key))
        this.shell.feed(key, { type: 'held', isHeld: false });
    }
  }
}
