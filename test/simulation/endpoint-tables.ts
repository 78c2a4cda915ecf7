import { type Breaker, type BreakerEvent, type BreakerSettings, CLOSED, stepBreaker } from '#common/domain/breaker.js';
import type { LaneLimits } from '#common/postgres/lane-limits.js';
import type { EndpointRecord } from '#common/records/endpoint-record.js';
import type { LaneTables } from './lane-tables.js';
import type { Network } from './network.js';

/** The product's state machine, or one with a planted flaw. */
export type BreakerStep = typeof stepBreaker;

/** As in lane-limits.ts. */
const PROBE_LEASE_MS = 45_000;

interface Health {
  breaker: Breaker;
  probeUntil: number;
}

export interface BreakerChange {
  readonly endpointId: string;
  readonly from: Breaker;
  readonly to: Breaker;
}

/** Observer of breakers. */
export interface BreakerWitness {
  counted(endpointId: string, outcome: 'delivered' | 'retry' | 'dead'): void;
  /**
   * Called after a breaker counted an attempt that began at `startedAt`, ms since the epoch, with the breaker's new
   * state.
   */
  heard(endpointId: string, at: number, breaker: Breaker): void;
  changed(change: BreakerChange): void;
}

/** PostgreSQL's tables of endpoints, with configuration and breakers. Every change is announced. */
export class EndpointTables {
  readonly health = new Map<string, Health>();
  /** Records of the topic `endpoints`, in order. */
  readonly announced: EndpointRecord[] = [];
  private readonly records = new Map<string, EndpointRecord>();

  constructor(
    private readonly settings: ReadonlyMap<string, BreakerSettings>,
    private readonly step: BreakerStep,
    private readonly witness: BreakerWitness,
  ) {}

  /** Adds or changes an endpoint. */
  put(record: EndpointRecord): void {
    const version = (this.records.get(record.id)?.version ?? 0) + 1;
    const announced = { ...record, version };
    this.records.set(record.id, announced);
    if (!this.health.has(record.id)) this.health.set(record.id, { breaker: CLOSED, probeUntil: 0 });
    this.announced.push(announced);
  }

  get(endpointId: string): EndpointRecord {
    const record = this.records.get(endpointId);
    if (record === undefined) throw new Error(`there is no endpoint ${endpointId}`);
    return record;
  }

  all(): Iterable<EndpointRecord> {
    return this.records.values();
  }

  /** Applies an event to an endpoint's breaker. */
  apply(endpointId: string, event: BreakerEvent, now: number): void {
    const health = this.health.get(endpointId);
    const settings = this.settings.get(endpointId);
    if (health === undefined || settings === undefined) return;
    if (event.type === 'attempted' && !event.isRepeat) this.witness.counted(endpointId, event.outcome);
    const from = health.breaker;
    const to = this.step(from, event, settings, now);
    health.breaker = to;
    if (event.type === 'attempted') this.witness.heard(endpointId, event.at, to);
    if (to.state === from.state) return;
    // A change of state revokes the probe's permit.
    health.probeUntil = 0;
    this.witness.changed({ endpointId, from, to });
    this.put({ ...this.get(endpointId), breaker: to.state });
  }

  /** @returns true for the one dispatcher that may probe now */
  takeProbe(endpointId: string, now: number): boolean {
    const health = this.health.get(endpointId);
    if (health?.breaker.state !== 'half_open' || health.probeUntil >= now) return false;
    health.probeUntil = now + PROBE_LEASE_MS;
    return true;
  }
}

/** The product's LaneLimits, over these tables. */
export class SimulatedLaneLimits implements Pick<LaneLimits, keyof LaneLimits> {
  constructor(
    private readonly lanes: LaneTables,
    private readonly endpoints: EndpointTables,
    private readonly network: Network,
  ) {}

  parkedEndpoints(log: string): Promise<string[]> {
    return this.network.ask('postgres', () => [
      ...new Set(
        this.lanes
          .parked(log)
          .map(({ endpointId }) => endpointId)
          .sort(),
      ),
    ]);
  }

  beyond(endpointId: string, limit: { maxAgeS: number; maxCount: number }) {
    return this.network.ask('postgres', () => {
      const rows = [...this.lanes.logs.keys()].flatMap((name) =>
        this.lanes.parked(name).map((row) => ({ name, ...row })),
      );
      const own = rows.filter((row) => row.endpointId === endpointId).sort((a, b) => b.parkedAt - a.parkedAt);
      const oldest = this.network.time.now - limit.maxAgeS * 1_000;
      const beyond = own.filter(({ parkedAt }, index) => parkedAt <= oldest || index >= limit.maxCount);
      const byLane = Map.groupBy(beyond, ({ name, lane }) => `${name} ${lane}`);
      return [...byLane.values()].map((ofLane) => ({
        log: ofLane[0]?.name ?? '',
        lane: ofLane[0]?.lane ?? '',
        place: Math.max(...ofLane.map(({ place }) => place)),
      }));
    });
  }

  probeCandidate(log: string, endpointId: string): Promise<{ lane: string }[]> {
    return this.network.ask('postgres', () =>
      this.lanes
        .drainable(log, endpointId)
        .slice(0, 1)
        .map(({ lane }) => ({ lane })),
    );
  }

  takeProbe(endpointId: string): Promise<boolean> {
    return this.network.ask('postgres', () => this.endpoints.takeProbe(endpointId, this.network.time.now));
  }
}
