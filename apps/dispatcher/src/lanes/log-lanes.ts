import { SlotMap } from '#common/collections/slot-map.js';
import { isIdle, mustBeLoaded } from '#common/domain/lane-machine.js';
import type { Positions } from '#common/domain/positions.js';
import type { FencedLog } from '#common/kafka/port/owned-log.js';
import type { Delivery } from '../deliveries/delivery.js';
import { ActiveLane, type LaneHome } from './active-lane.js';
import type { LaneCollaborators } from './lane-collaborators.js';
import type { LaneJournal } from './lane-journal.js';
import { LanesToLoad } from './lanes-to-load.js';

/** The lanes of one owned log: those in memory, and fingerprints of those to load from PostgreSQL before their next record is judged. */
export class LogLanes implements LaneHome {
  readonly toLoad = new LanesToLoad();
  readonly holds: LaneCollaborators['holds'];
  readonly turns: LaneCollaborators['turns'];
  readonly unfinished: LaneCollaborators['unfinished'];
  readonly readAhead: LaneCollaborators['readAhead'];
  turnsUnderWay = 0;
  private readonly active = new SlotMap<string, ActiveLane>();
  /** The log brings no more firsts and no more replays below this position. */
  private nextPosition: number;

  /**
   * @param name `topic/partition`, as the database knows the log
   * @param positions of the log's records; the place of a first or a replay is its position
   */
  constructor(
    readonly name: string,
    readonly log: FencedLog,
    readonly positions: Positions,
    readonly journal: LaneJournal,
    { holds, turns, unfinished, readAhead }: LaneCollaborators,
  ) {
    this.holds = holds;
    this.turns = turns;
    this.unfinished = unfinished;
    this.readAhead = readAhead;
    this.nextPosition = positions.of(log.start);
  }

  /** A delivery was read from the log. */
  arrived(delivery: Delivery): void {
    const position = this.positions.of(delivery.offset);
    this.nextPosition = Math.max(this.nextPosition, position + 1);
    const place = delivery.meta.place ?? position;
    this.lane(delivery.lane, delivery).run({
      type: 'arrived',
      item: { place, attempt: delivery.meta.attempt, offset: position, work: delivery },
    });
  }

  /** The endpoint began to hold, or its hold ended. */
  hold(endpointId: string, isHeld: boolean): void {
    for (const lane of this.active.values()) {
      if (lane.endpointId === endpointId) lane.run({ type: 'held', isHeld });
    }
  }

  /** Adds the endpoints of the lanes in memory. */
  addEndpointsTo(endpointIds: Set<string>): void {
    for (const lane of this.active.values()) endpointIds.add(lane.endpointId);
  }

  /** Drains a lane with parked rows; does nothing if the lane is in memory. */
  wake(name: string, endpointId: string): void {
    if (this.active.get(name) === undefined) this.activate(name, endpointId, true).wake();
  }

  /** The half-open breaker admits one attempt of the lane. */
  probe(name: string, endpointId: string): void {
    this.parkedLane(name, endpointId).probe();
  }

  /** Gives up the lane's parked deliveries at or below this place. */
  expire(name: string, endpointId: string, place: number): void {
    this.parkedLane(name, endpointId).run({ type: 'expired', place });
  }

  /** An operator skips this delivery. The lane gives it up when it is the head or the lowest parked row, and not in flight. */
  skip(delivery: Delivery): void {
    const place = delivery.meta.place ?? this.positions.of(delivery.offset);
    const item = { place, attempt: delivery.meta.attempt, offset: undefined, work: delivery };
    this.lane(delivery.lane, delivery, true).run({ type: 'skipped', item });
  }

  /** This process has lost the log. Each lane releases the memory of its parked rows. */
  close(): void {
    for (const lane of this.active.values()) lane.close();
  }

  forgetIfIdle(lane: ActiveLane): void {
    if (!isIdle(lane.machine) || this.active.get(lane.name) !== lane) return;
    this.active.delete(lane.name);
    if (mustBeLoaded(lane.machine, this.nextPosition)) this.toLoad.add(lane.name);
    else this.toLoad.delete(lane.name);
  }

  private lane(name: string, delivery: Delivery, isToLoad = this.toLoad.has(name)): ActiveLane {
    return this.active.get(name) ?? this.activate(name, delivery.meta.endpointId, isToLoad);
  }

  private parkedLane(name: string, endpointId: string): ActiveLane {
    return this.active.get(name) ?? this.activate(name, endpointId, true);
  }

  /** @param isToLoad whether the lane is loaded from PostgreSQL before its first record is judged */
  private activate(name: string, endpointId: string, isToLoad: boolean): ActiveLane {
    const lane = new ActiveLane(name, endpointId, this, !isToLoad);
    this.active.set(name, lane);
    return lane;
  }
}
