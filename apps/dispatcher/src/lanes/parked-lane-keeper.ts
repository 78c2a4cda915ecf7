import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { LaneCommands } from '#common/postgres/lane-commands.js';
import { LaneLimits } from '#common/postgres/lane-limits.js';
import { Rounds } from '#common/timing/rounds.js';
import { EndpointDirectory } from '../endpoints/endpoint-directory.js';
import { Gates } from '../endpoints/gates.js';
import { Drainer } from './drainer.js';
import type { LogLanes } from './log-lanes.js';
import { LogOwners } from './log-owners.js';
import { skippedDelivery } from './parked-record.js';

const COMMAND_INTERVAL_MS = 1_000;
const KEEP_INTERVAL_MS = 5_000;
/** Expiry reads a million parked deliveries in a second of PostgreSQL's time. It takes at most this share of the time. */
const EXPIRY_SHARE = 0.02;

/**
 * The periodic work of the owner of parked lanes: admits the probe of a half-open breaker, runs operators' commands, expires
 * deliveries that were parked too long, wakes parked lanes that no event has woken, and compares epochs.
 */
@Injectable()
export class ParkedLaneKeeper implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(ParkedLaneKeeper.name);
  private readonly rounds: Rounds[] = [];
  /** Endpoints that had parked rows in the owned logs in the last round. */
  private parked: ReadonlySet<string> = new Set();

  constructor(
    private readonly owners: LogOwners,
    private readonly directory: EndpointDirectory,
    private readonly gates: Gates,
    private readonly drainer: Drainer,
    private readonly limits: LaneLimits,
    private readonly commands: LaneCommands,
  ) {}

  onApplicationBootstrap(): void {
    this.every(COMMAND_INTERVAL_MS, () => this.runCommands());
    this.every(KEEP_INTERVAL_MS, () => this.owners.checkEpochs());
    this.every(KEEP_INTERVAL_MS, () => this.drainAll());
    this.every(
      KEEP_INTERVAL_MS,
      () => this.forEach(this.parked, (endpointId) => this.expire(endpointId)),
      EXPIRY_SHARE,
    );
    this.every(COMMAND_INTERVAL_MS, () => this.forEach(this.owners.all(), (lanes) => this.probe(lanes)));
  }

  onModuleDestroy(): void {
    for (const rounds of this.rounds) rounds.stop();
  }

  private every(periodMs: number, round: () => Promise<void>, share = 1): void {
    const rounds = new Rounds({ periodMs, share, round, onError: (error) => this.logFailure(error) });
    this.rounds.push(rounds);
    rounds.startAfter(Promise.resolve());
  }

  /** Runs the work one item after the other. An item that fails does not stop the next. */
  private async forEach<Item>(items: Iterable<Item>, work: (item: Item) => Promise<void>): Promise<void> {
    for (const item of [...items]) await work(item).catch((error: unknown) => this.logFailure(error));
  }

  /** PostgreSQL is away: the next round repeats the work. */
  private logFailure(error: unknown): void {
    this.logger.debug({ err: error }, 'keeper.round_failed');
  }

  private async drainAll(): Promise<void> {
    const parked = new Set<string>();
    await this.forEach(this.owners.all(), async (lanes) => {
      for (const endpointId of await this.limits.parkedEndpoints(lanes.name)) {
        this.drainer.start(lanes, endpointId);
        parked.add(endpointId);
      }
    });
    this.parked = parked;
  }

  private async expire(endpointId: string): Promise<void> {
    // Deliveries that wait for a key never expire: the operator who must add the key may take longer than the limit.
    if (this.gates.holdOf(endpointId) === 'key_missing') return;
    const record = this.directory.recordOf(endpointId);
    // Nothing can be sent to a deleted endpoint: all of its parked deliveries expire.
    const limit = record
      ? { maxAgeS: record.max_parked_age_s, maxCount: record.max_parked }
      : { maxAgeS: 0, maxCount: 0 };
    if (record === undefined && !this.directory.wasDeleted(endpointId)) return;
    const beyond = await this.limits.beyond(endpointId, limit);
    const byName = this.byName();
    for (const { log, lane, place } of beyond) {
      byName.get(log)?.expire(lane, endpointId, place);
    }
  }

  /** PostgreSQL permits one probe at a time, over all dispatchers. */
  private async probe(lanes: LogLanes): Promise<void> {
    for (const endpointId of this.directory.halfOpen()) {
      if (this.gates.holdOf(endpointId) !== 'breaker') continue;
      const [candidate] = await this.limits.probeCandidate(lanes.name, endpointId);
      if (candidate === undefined || !(await this.limits.takeProbe(endpointId))) continue;
      lanes.probe(candidate.lane, endpointId);
    }
  }

  private async runCommands(): Promise<void> {
    const byName = this.byName();
    if (byName.size === 0) return;
    for (const command of await this.commands.open([...byName.keys()])) {
      const lanes = byName.get(command.log);
      const delivery = lanes && skippedDelivery(lanes.log, command);
      if (delivery !== undefined) lanes?.skip(delivery);
    }
  }

  private byName(): Map<string, LogLanes> {
    return new Map([...this.owners.all()].map((lanes) => [lanes.name, lanes]));
  }
}
