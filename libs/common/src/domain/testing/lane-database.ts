import type { LaneItem, LaneRow, LaneTransaction } from '../lane-machine.js';
import type { Bug } from './lane-bugs.js';

/** The tables of the lane protocol, of one log: the fence, one row per lane, parked rows unique by lane and place. */
export class SimulatedDatabase<Work> {
  epoch = 0;
  readonly rows = new Map<string, LaneRow>();
  private readonly parked = new Map<string, Map<number, LaneItem<Work>>>();

  /** @param isStrict see Shape */
  constructor(
    private readonly isStrict: boolean,
    private readonly bug: Bug | undefined,
  ) {}

  transact(lane: string, { row, park = [], removeUpTo, remove }: LaneTransaction<Work>): void {
    const goesBack = row !== undefined && isBelow(row, this.rows.get(lane)) && this.bug !== 'row goes back';
    if (goesBack && this.isStrict) return;
    if (row && !goesBack) this.rows.set(lane, row);
    for (const item of park) this.insert(lane, item);
    if (removeUpTo !== undefined && !goesBack) this.removeUpTo(lane, removeUpTo);
    if (remove) this.remove(lane, remove);
    const isIdle = !this.hasParked(lane) && this.rows.get(lane)?.attempt === undefined;
    if (this.bug === 'no evidence' && isIdle) this.rows.delete(lane);
  }

  /** @returns the lowest parked rows of a lane, ascending */
  lowest(lane: string, limit: number): LaneItem<Work>[] {
    return [...this.parkedOf(lane).values()].sort((a, b) => a.place - b.place).slice(0, limit);
  }

  hasParked(lane: string): boolean {
    return this.parkedOf(lane).size > 0;
  }

  parkedAt(lane: string, place: number): LaneItem<Work> | undefined {
    return this.parkedOf(lane).get(place);
  }

  lanesWithParked(): string[] {
    return [...this.parked].filter(([, parked]) => parked.size > 0).map(([lane]) => lane);
  }

  private removeUpTo(lane: string, last: number): void {
    const parked = this.parkedOf(lane);
    for (const place of parked.keys()) if (place <= last) parked.delete(place);
  }

  private remove(lane: string, { place, attempt }: NonNullable<LaneTransaction<Work>['remove']>): void {
    const parked = this.parkedOf(lane);
    const isStill = this.bug === 'removes a later attempt' || parked.get(place)?.attempt === attempt;
    if (isStill) parked.delete(place);
  }

  private insert(lane: string, item: LaneItem<Work>): void {
    const parked = this.parkedOf(lane);
    const old = parked.get(item.place);
    const keepsOld = this.bug === 'conflict keeps the old' || (old?.attempt ?? -1) >= item.attempt;
    if (old && keepsOld) return;
    if (this.bug !== 'blind insert' && isOver(item.place, this.rows.get(lane))) return;
    parked.set(item.place, { ...item, offset: undefined });
  }

  private parkedOf(lane: string): Map<number, LaneItem<Work>> {
    const parked = this.parked.get(lane) ?? new Map<number, LaneItem<Work>>();
    this.parked.set(lane, parked);
    return parked;
  }
}

/** Over ranks above any attempt. */
function isBelow(row: LaneRow, old: LaneRow | undefined): boolean {
  if (!old || row.place > old.place) return false;
  return row.place < old.place || (old.attempt ?? Number.POSITIVE_INFINITY) > (row.attempt ?? Number.POSITIVE_INFINITY);
}

function isOver(place: number, row: LaneRow | undefined): boolean {
  return row !== undefined && (place < row.place || (place === row.place && row.attempt === undefined));
}
