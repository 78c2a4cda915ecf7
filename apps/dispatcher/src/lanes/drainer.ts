import { Injectable, Logger } from '@nestjs/common';
import { classifyError } from '#common/postgres/errors.js';
import { LaneLimits } from '#common/postgres/lane-limits.js';
import { LaneStore } from '#common/postgres/lane-store.js';
import { delay } from '#common/timing/timing.js';
import { Gates } from '../endpoints/gates.js';
import type { LogLanes } from './log-lanes.js';
import { ReadAhead } from './read-ahead.js';

const PAGE = 200;
const WAIT_FOR_ROOM_MS = 20;
const RETRY_MS = 500;

/** Wakes the parked lanes of an endpoint after a hold, at most as many at a time as its gate has room for. */
@Injectable()
export class Drainer {
  private readonly logger = new Logger(Drainer.name);
  /** Running drains, by log and endpoint; true when another drain was requested during the run. */
  private readonly running = new WeakMap<LogLanes, Map<string, boolean>>();

  constructor(
    private readonly store: LaneStore,
    private readonly limits: LaneLimits,
    private readonly gates: Gates,
    private readonly readAhead: ReadAhead,
  ) {}

  /** Begins a drain for every endpoint with parked rows in this log. */
  async startAll(lanes: LogLanes): Promise<void> {
    while (!lanes.log.lost.aborted) {
      try {
        const endpointIds = await this.limits.parkedEndpoints(lanes.name);
        for (const endpointId of endpointIds) this.start(lanes, endpointId);
        return;
      } catch (error) {
        this.logger.warn({ err: error }, 'drain.waiting_for_database');
        await delay(RETRY_MS);
      }
    }
  }

  /** Begins a drain, or restarts the running one. It ends when no parked lane is left, a hold begins or the log is lost. */
  start(lanes: LogLanes, endpointId: string): void {
    if (this.gates.holdOf(endpointId) !== undefined) return;
    const running = this.running.get(lanes) ?? new Map();
    this.running.set(lanes, running);
    const isRunning = running.has(endpointId);
    running.set(endpointId, isRunning);
    if (!isRunning) void this.drainUntilQuiet(lanes, endpointId, running);
  }

  /** A short hold may park rows below the position of the running drain: the next drain finds them. */
  private async drainUntilQuiet(lanes: LogLanes, endpointId: string, running: Map<string, boolean>): Promise<void> {
    do {
      running.set(endpointId, false);
      await this.drain(lanes, endpointId);
    } while (running.get(endpointId));
    running.delete(endpointId);
  }

  private async drain(lanes: LogLanes, endpointId: string): Promise<void> {
    for (let after = -1; !lanes.log.lost.aborted && this.gates.holdOf(endpointId) === undefined; ) {
      const { room } = this.gates.of(endpointId);
      if (room === 0 || this.readAhead.isWaiting(endpointId)) {
        await delay(WAIT_FOR_ROOM_MS);
        continue;
      }
      try {
        const rows = await this.store.drainable(lanes.name, endpointId, after, Math.min(room, PAGE));
        if (rows.length === 0) return;
        for (const { lane, place } of rows) {
          after = place;
          lanes.wake(lane, endpointId);
        }
      } catch (error) {
        // PostgreSQL cannot store the endpoint's id, so nothing of it is parked.
        if (classifyError(error).kind === 'row') return;
        this.logger.warn({ err: error, endpoint_id: endpointId }, 'drain.waiting_for_database');
        await delay(RETRY_MS);
      }
    }
  }
}
