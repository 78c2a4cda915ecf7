import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { offsetOf } from '#common/domain/position.js';
import { LaneCommands } from '#common/postgres/lane-commands.js';
import { LaneLimits } from '#common/postgres/lane-limits.js';
import { unpackDelivery } from '#common/records/delivery-record.js';
import { Rounds } from '#common/timing/rounds.js';
import type { Delivery } from './delivery.js';
import { Drainer } from './drainer.js';
import { EndpointDirectory } from './endpoint-directory.js';
import { Gates } from './gates.js';
import type { LogLanes } from './lanes/log-lanes.js';
import { LogOwners } from './log-owners.js';

const COMMAND_INTERVAL_MS = 1_000;
const KEEP_INTERVAL_MS = 5_000;
/** Looking at a million parked deliveries takes the database a second: no more of the time goes to it than this. */
const EXPIRY_SHARE = 0.02;

/**
 * What the owner of parked lanes does from time to time: lets a half-open breaker's probe through, carries out what
 * operators ask, gives up what was parked too long, and wakes what no event has woken.
 */
@Injectable()
export class Keeper implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(Keeper.name);
  private readonly rounds: Rounds[] = [];
  /** Endpoints that had parked rows in our logs when they were looked at last. */
  private parked: ReadonlySet<string> = new Set();

  constructor(
    @Inject(LogOwners) private readonly owners: LogOwners,
    @Inject(EndpointDirectory) private readonly directory: EndpointDirectory,
    @Inject(Gates) private readonly gates: Gates,
    @Inject(Drainer) private readonly drainer: Drainer,
    @Inject(LaneLimits) private readonly limits: LaneLimits,
    @Inject(LaneCommands) private readonly commands: LaneCommands,
  ) {}

  onApplicationBootstrap(): void {
    this.every(COMMAND_INTERVAL_MS, () => this.obey());
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
    const rounds = new Rounds({ periodMs, share, round, onError: (error) => this.failed(error) });
    this.rounds.push(rounds);
    rounds.startAfter(Promise.resolve());
  }

  /** One after the other; one that fails keeps no other from its turn. */
  private async forEach<Item>(items: Iterable<Item>, work: (item: Item) => Promise<void>): Promise<void> {
    for (const item of [...items]) await work(item).catch((error: unknown) => this.failed(error));
  }

  /** What fails, because the database is away, has its turn in the next round. */
  private failed(error: unknown): void {
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
    // What waits for a key is not given up: the operator who left it out may take longer than the endpoint's limit.
    if (this.gates.holdOf(endpointId) === 'key_missing') return;
    const record = this.directory.find(endpointId)?.record;
    // Of an endpoint that was deleted nothing can be sent any more.
    const limit = record
      ? { maxAgeS: record.max_parked_age_s, maxCount: record.max_parked }
      : { maxAgeS: 0, maxCount: 0 };
    if (record === undefined && !this.directory.wasDeleted(endpointId)) return;
    const beyond = await this.limits.beyond(endpointId, limit);
    const byName = this.byName();
    for (const { log, lane, place } of beyond) {
      byName.get(log)?.wake(lane, endpointId, { expireUpTo: place });
    }
  }

  /** One probe at a time over all dispatchers: the database gives the permit. */
  private async probe(lanes: LogLanes): Promise<void> {
    for (const endpointId of this.directory.halfOpen()) {
      if (this.gates.holdOf(endpointId) !== 'breaker') continue;
      const [candidate] = await this.limits.probeCandidate(lanes.name, endpointId);
      if (candidate === undefined || !(await this.limits.takeProbe(endpointId))) continue;
      lanes.wake(candidate.lane, endpointId, { isProbe: true });
    }
  }

  private async obey(): Promise<void> {
    const byName = this.byName();
    if (byName.size === 0) return;
    for (const command of await this.commands.open([...byName.keys()])) {
      const lanes = byName.get(command.log);
      const meta = unpackDelivery(command.header);
      if (lanes === undefined || meta === undefined) continue;
      const delivery: Delivery = {
        log: lanes.log,
        offset: offsetOf(command.place),
        lane: command.lane,
        meta: { ...meta, place: command.place, attempt: command.attempt },
        body: command.body,
        headers: {},
        isReplay: false,
        parkedAt: Date.now(),
        bagIndex: 0,
        givenUp: { reason: 'unrecoverable', detail: 'skipped by an operator' },
      };
      lanes.skip(delivery);
    }
  }

  private byName(): Map<string, LogLanes> {
    return new Map([...this.owners.all()].map((lanes) => [lanes.name, lanes]));
  }
}
