import { Inject, Injectable, Logger } from '@nestjs/common';
import type { FencedLog } from '#common/kafka/port/owned-log.js';
import { LaneStore } from '#common/postgres/lane-store.js';
import { delay } from '#common/timing/timing.js';
import { DeliveryGenerations } from '../generations/delivery-generations.js';
import { Drainer } from './drainer.js';
import { LANE_COLLABORATORS, type LaneCollaborators } from './lane-collaborators.js';
import { LaneJournal } from './lane-journal.js';
import { LogLanes } from './log-lanes.js';
import { LostHeads } from './lost-heads.js';

const PREPARING = 'preparing';
const RETRY_MS = 500;

/**
 * Takes logs over (docs/lane-protocol.md, rule 8): reads the epoch, proves membership, raises the epoch, carries over
 * deliveries of a lost log, and loads the waiting lanes. Only then is the first record read. Until then the log is paused, and
 * heartbeats continue, however long PostgreSQL is away.
 */
@Injectable()
export class LogOwners {
  private readonly logger = new Logger(LogOwners.name);
  private readonly lanes = new Map<FencedLog, LogLanes>();
  private readonly epochs = new WeakMap<LogLanes, number>();

  constructor(
    private readonly store: LaneStore,
    private readonly lostHeads: LostHeads,
    private readonly drainer: Drainer,
    @Inject(LANE_COLLABORATORS) private readonly collaborators: LaneCollaborators,
    @Inject(DeliveryGenerations)
    private readonly generations: Pick<DeliveryGenerations, 'present' | 'carriedOver' | 'positionsOf'>,
  ) {}

  all(): Iterable<LogLanes> {
    return this.lanes.values();
  }

  of(log: FencedLog): LogLanes | undefined {
    return this.lanes.get(log);
  }

  /** Lanes of owned logs with an attempt begun whose consequences are not all stored. */
  get turnsUnderWay(): number {
    let count = 0;
    for (const { turnsUnderWay } of this.lanes.values()) count += turnsUnderWay;
    return count;
  }

  /** Endpoints with a lane in memory. */
  endpointsInUse(): ReadonlySet<string> {
    const endpointIds = new Set<string>();
    for (const lanes of this.lanes.values()) lanes.addEndpointsTo(endpointIds);
    return endpointIds;
  }

  /** The endpoint begins or ends to hold, or holds for another reason. Without a hold its parked lanes drain. */
  hold(endpointId: string, isHeld: boolean): void {
    for (const lanes of this.lanes.values()) {
      lanes.hold(endpointId, isHeld);
      this.drainer.start(lanes, endpointId);
    }
  }

  /** Resolves when the log's first record may be read, or the log is lost. Its parked lanes drain from then on. */
  async take(log: FencedLog): Promise<void> {
    log.pause(PREPARING);
    while (!log.lost.aborted) {
      try {
        const lanes = await this.prepare(log);
        if (log.lost.aborted) return;
        this.lanes.set(log, lanes);
        if (lanes.toLoad.size > 0) void this.drainer.startAll(lanes);
        log.resume(PREPARING);
        return;
      } catch (error) {
        this.logger.warn({ err: error, partition: log.partition }, 'log.not_taken_over');
        await delay(RETRY_MS);
      }
    }
  }

  /**
   * Gives logs up whose epoch is another one: a rebuild changed their rows, or the database was restored. An
   * owner that writes nothing would not notice.
   */
  async checkEpochs(): Promise<void> {
    const owned = [...this.lanes.values()];
    if (owned.length === 0) return;
    const now = await this.store.epochsOf(owned.map(({ name }) => name));
    for (const lanes of owned) {
      const epoch = this.epochs.get(lanes);
      if (now.get(lanes.name) !== epoch) this.fenced(lanes.log, { name: lanes.name, epoch });
    }
  }

  private fenced(log: FencedLog, { name, epoch }: { name: string; epoch: number | undefined }): void {
    if (log.lost.aborted) return;
    this.logger.warn({ log: name, epoch }, 'log.fenced');
    log.abandon();
  }

  /** Retention removed unread records. Heads that lanes wait for may be among them, and are made again. */
  recordsLost(log: FencedLog): void {
    void this.lostHeads.restore(log);
  }

  lose(log: FencedLog): void {
    this.lanes.get(log)?.close();
    this.lanes.delete(log);
  }

  private async prepare(log: FencedLog): Promise<LogLanes> {
    const name = `${log.topic}/${log.partition}`;
    const generation = await this.generations.present();
    const seen = await this.store.epochOf(name);
    await log.confirm();
    const epoch = await this.store.raiseEpoch(seen);
    await log.confirm();
    const journal = new LaneJournal(this.store, epoch, log.lost, () => this.fenced(log, { name, epoch: epoch.epoch }));
    // From now on no owner of an earlier generation writes rows of this log.
    await this.generations.carriedOver(log.lost);
    const positions = await this.generations.positionsOf(log, generation);
    const lanes = new LogLanes(name, log, positions, journal, this.collaborators);
    this.epochs.set(lanes, epoch.epoch);
    const start = positions.of(log.start);
    for await (const names of this.store.waitingLanes(name, start)) for (const lane of names) lanes.toLoad.add(lane);
    // Nothing behind the lost tail is finished yet: the records that waiting lanes are to get back may have been in it.
    if ((positions.lostFrom ?? -1) >= log.start) void this.lostHeads.restore(log, true);
    return lanes;
  }
}
