import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { LaneCommands } from '#common/postgres/lane-commands.js';
import { LaneLimits } from '#common/postgres/lane-limits.js';
import { decodeDelivery } from '#common/records/delivery-record.js';
import type { Delivery } from './delivery.js';
import { Drainer } from './drainer.js';
import { EndpointDirectory } from './endpoint-directory.js';
import { Gates } from './gates.js';
import type { LogLanes } from './lanes/log-lanes.js';
import { LogOwners } from './log-owners.js';

const COMMAND_INTERVAL_MS = 1_000;
const KEEP_INTERVAL_MS = 5_000;

/**
 * What the owner of parked lanes does from time to time: lets a half-open breaker's probe through, carries out what
 * operators ask, gives up what was parked too long, and wakes what no event has woken.
 */
@Injectable()
export class Keeper implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(Keeper.name);
  private timers: NodeJS.Timeout[] = [];

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
    this.every(KEEP_INTERVAL_MS, () => this.forEachLog((lanes) => this.keep(lanes)));
    this.every(COMMAND_INTERVAL_MS, () => this.forEachLog((lanes) => this.probe(lanes)));
  }

  onModuleDestroy(): void {
    for (const timer of this.timers) clearInterval(timer);
  }

  /** One round after the other. */
  private every(ms: number, work: () => Promise<void>): void {
    let isRunning = false;
    const round = async () => {
      if (isRunning) return;
      isRunning = true;
      await this.attempt(work());
      isRunning = false;
    };
    this.timers.push(setInterval(() => void round(), ms));
  }

  private async forEachLog(work: (lanes: LogLanes) => Promise<void>): Promise<void> {
    for (const lanes of [...this.owners.all()]) await this.attempt(work(lanes));
  }

  /** What fails, because the database is away, has its turn in the next round. */
  private async attempt(work: Promise<void>): Promise<void> {
    await work.catch((error: unknown) => this.logger.debug({ err: error }, 'keeper.round_failed'));
  }

  private async keep(lanes: LogLanes): Promise<void> {
    for (const endpointId of await this.limits.parkedEndpoints(lanes.name)) {
      this.drainer.start(lanes, endpointId);
      await this.expire(lanes, endpointId);
    }
  }

  private async expire(lanes: LogLanes, endpointId: string): Promise<void> {
    const record = this.directory.find(endpointId)?.record;
    // Of an endpoint that was deleted nothing can be sent any more.
    const limit = record
      ? { maxAgeS: record.max_parked_age_s, maxCount: record.max_parked }
      : { maxAgeS: 0, maxCount: 0 };
    if (record === undefined && !this.directory.wasDeleted(endpointId)) return;
    for (const { lane, place } of await this.limits.beyond(lanes.name, endpointId, limit)) {
      lanes.wake(lane, endpointId, { expireUpTo: place });
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
    const byName = new Map([...this.owners.all()].map((lanes) => [lanes.name, lanes]));
    if (byName.size === 0) return;
    for (const command of await this.commands.open([...byName.keys()])) {
      const lanes = byName.get(command.log);
      const meta = decodeDelivery(command.header);
      if (lanes === undefined || meta === undefined) continue;
      const delivery: Delivery = {
        log: lanes.log,
        offset: command.place,
        lane: command.lane,
        meta: { ...meta, place: command.place, attempt: command.attempt },
        body: command.body,
        headers: {},
        isReplay: false,
        parkedAt: Date.now(),
        givenUp: { reason: 'unrecoverable', detail: 'skipped by an operator' },
      };
      lanes.skip(delivery);
    }
  }
}
