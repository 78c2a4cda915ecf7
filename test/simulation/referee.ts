import type { Breaker } from '#common/domain/breaker.js';
import { decodeFinished } from '#common/domain/finished-runs.js';
import type { AttemptResult } from '#common/domain/verdict.js';
import type { InRecord } from '#common/records/record.js';
import type { BrokerWitness, GroupCommit } from './broker.js';
import type { BreakerChange } from './endpoint-tables.js';
import type { Ground } from './ground.js';
import { Lives } from './lives.js';
import { Pace } from './pace.js';
import type { AttemptWitness, Flight } from './simulated-attempter.js';
import type { Duty } from './traffic.js';

/** Counts of one or many histories. */
export interface Tally {
  attempts: number;
  repeats: number;
  staleAttempts: number;
  retries: number;
  dead: number;
  parked: number;
  probes: number;
  openings: number;
  commits: number;
}

export const emptyTally = (): Tally => ({
  attempts: 0,
  repeats: 0,
  staleAttempts: 0,
  retries: 0,
  dead: 0,
  parked: 0,
  probes: 0,
  openings: 0,
  commits: 0,
});

/** Observes each step of a history, and records violations. It does not use the product's decisions. */
export class Referee implements BrokerWitness, AttemptWitness {
  readonly tally = emptyTally();
  readonly violations: string[] = [];
  readonly lives: Lives;
  private readonly pace: Pace;
  /** Attempts in flight, by lane. */
  private readonly flights = new Map<string, Set<Flight>>();
  private readonly probes = new Map<string, Set<Flight>>();
  private readonly sent = new Set<string>();
  /** Deliveries in order, and the number of those at the front that are over, by lane. */
  private readonly order = new Map<string, { readonly ids: string[]; over: number; accepted: number }>();
  private readonly deadInRow = new Map<string, number>();
  private readonly checked = new Set<string>();

  constructor(private readonly ground: Ground) {
    this.lives = new Lives(ground);
    this.pace = new Pace(ground);
    for (const duty of ground.duties) this.expect(duty);
  }

  fault(what: string): void {
    this.violations.push(what);
    this.ground.log(`VIOLATION: ${what}`);
  }

  /** Registers a delivery that must be attempted. */
  expect({ id, lane }: Duty): void {
    const inLane = this.order.get(lane) ?? { ids: [], over: 0, accepted: -1 };
    inLane.ids.push(id);
    this.order.set(lane, inLane);
  }

  appended(record: InRecord): void {
    const what = this.lives.appended(record);
    if (what === 'retry') this.tally.retries++;
    if (what === 'dead') this.tally.dead++;
  }

  /** Checks that each record below the watermark, or finished above it, is stored elsewhere. */
  committed(groupId: string, log: string, { offset, metadata }: GroupCommit): void {
    this.tally.commits++;
    const { broker } = this.ground;
    const finished = decodeFinished(offset, metadata);
    this.ground.log(`${groupId} committed ${log}@${offset}${finished.length > 0 ? ` and [${finished}]` : ''}`);
    if (offset > broker.log(log).length) this.fault(`${groupId} committed ${log}@${offset}, beyond its end`);
    for (let done = offset - 1; done >= 0 && !this.checked.has(`${log}@${done}`); done--) this.check(log, done);
    for (const done of finished) if (!this.checked.has(`${log}@${done}`)) this.check(log, done);
  }

  private check(log: string, offset: number): void {
    this.checked.add(`${log}@${offset}`);
    const record = this.ground.broker.log(log)[offset];
    if (record && !this.lives.isSafe(record)) this.fault(`${log}@${offset} is committed and not safe`);
  }

  sending(flight: Flight): void {
    const { delivery } = flight;
    const { deliveryId, attempt, replay } = delivery.meta;
    this.tally.attempts++;
    if (delivery.parkedAt !== undefined) this.tally.parked++;
    const key = `${deliveryId}/${replay}/${attempt}`;
    const isStale = this.ground.isExcused(flight.host);
    this.ground.log(`${flight.host.name} SENDS ${key} of ${delivery.lane}${isStale ? ', and cannot know better' : ''}`);
    if (isStale) this.tally.staleAttempts++;
    if (this.sent.has(key)) {
      this.tally.repeats++;
      if (this.ground.isUndisturbed) this.fault(`${key} is sent again, and nothing explains it`);
    }
    this.sent.add(key);
    this.checkLane(flight, isStale);
    this.checkProbe(flight, isStale);
    const early = this.pace.early(flight);
    if (early && !isStale) this.fault(early);
  }

  accepted({ delivery, host }: Flight): void {
    const { deliveryId, replay } = delivery.meta;
    this.ground.log(`${deliveryId}/${replay} is accepted, from ${host.name}`);
    const inLane = this.order.get(delivery.lane);
    if (inLane === undefined || replay > 0 || this.lives.wasAccepted(deliveryId)) return;
    const index = inLane.ids.indexOf(deliveryId);
    const wasDead = this.lives.isDead(deliveryId);
    this.lives.accepted(deliveryId);
    if (index > inLane.accepted) inLane.accepted = index;
    else if (!this.ground.isExcused(host) && !wasDead) this.fault(`${deliveryId} is first accepted after a later one`);
  }

  ended(flight: Flight, result: AttemptResult): void {
    const what = result.kind === 'response' ? result.status : result.error;
    this.ground.log(`${flight.host.name} hears of ${flight.delivery.meta.deliveryId}: ${what}`);
    this.flights.get(flight.delivery.lane)?.delete(flight);
    this.probes.get(flight.endpoint.id)?.delete(flight);
    this.pace.ended(flight, result);
  }

  /** Called when an endpoint's breaker counted an outcome. */
  counted(endpointId: string, outcome: 'delivered' | 'retry' | 'dead'): void {
    if (outcome === 'retry') return;
    const before = this.deadInRow.get(endpointId) ?? 0;
    this.deadInRow.set(endpointId, outcome === 'dead' ? before + 1 : 0);
  }

  /** A probe decides a half-open breaker: the breaker must not wait for another probe. */
  heard(endpointId: string, at: number, { state, halfOpenAt = 0 }: Breaker): void {
    if (state === 'half_open' && at >= halfOpenAt) this.fault(`the breaker of ${endpointId} is deaf to its probe`);
  }

  changed({ endpointId, from, to }: BreakerChange): void {
    const { ground } = this;
    ground.log(`breaker of ${endpointId}: ${from.state} -> ${to.state}`);
    if (to.state === 'open') this.tally.openings++;
    if (from.state === 'closed') {
      const dead = this.deadInRow.get(endpointId) ?? 0;
      if (dead < ground.thresholdOf(endpointId))
        this.fault(`${endpointId} is held after ${dead} dead deliveries in a row`);
    }
    const restedMs = ground.now - (from.openedAt ?? 0);
    if (to.state === 'half_open' && restedMs < ground.cooldownMsOf(endpointId) - 1) {
      this.fault(`${endpointId} is probed after ${restedMs} ms`);
    }
    if (to.state === 'closed') this.deadInRow.set(endpointId, 0);
  }

  /**
   * Checks that a lane has at most one attempt in flight, and none before the delivery ahead is over. Exception: two
   * processes may each have one while one of them cannot know that it lost the lane.
   */
  private checkLane(flight: Flight, isStale: boolean): void {
    const { lane, meta } = flight.delivery;
    const flights = this.flights.get(lane) ?? new Set();
    this.flights.set(lane, flights);
    for (const other of flights) {
      if (!other.host.isAlive) flights.delete(other);
      else if (other.host === flight.host || !(isStale || this.ground.isExcused(other.host))) {
        this.fault(`two attempts of ${lane} at once, by ${other.host.name} and ${flight.host.name}`);
      }
    }
    flights.add(flight);
    const inLane = this.order.get(lane);
    if (isStale || meta.replay > 0 || inLane === undefined) return;
    while (this.lives.isOver(inLane.ids[inLane.over] ?? '')) inLane.over++;
    const index = inLane.ids.indexOf(meta.deliveryId);
    if (index > inLane.over) this.fault(`${meta.deliveryId} is attempted while ${inLane.ids[inLane.over]} is not over`);
  }

  /** True when the sending process considers the endpoint's breaker open or half-open. */
  private checkProbe(flight: Flight, isStale: boolean): void {
    const { id, breaker, breaker_mode: mode } = flight.endpoint;
    if (breaker === 'closed' || mode === 'discard') return;
    this.tally.probes++;
    const probes = this.probes.get(id) ?? new Set();
    this.probes.set(id, probes);
    for (const other of probes) {
      if (!other.host.isAlive) probes.delete(other);
      else if (!isStale && !this.ground.isExcused(other.host)) this.fault(`two probes of ${id} at once`);
    }
    probes.add(flight);
  }
}
