import { Injectable, Logger } from '@nestjs/common';
import { Database } from '#common/postgres/database.js';
import { Rounds } from '#common/timing/rounds.js';
import { breakerSettings, lockCooledDown, storeHealth } from '../breakers/breaker-store.js';
import { runBreaker } from '../breakers/run-breaker.js';
import { PeriodicJobs } from '../schema/periodic-jobs.js';
import { announceChanges } from './breaker-changes.js';

const PERIOD_MS = 500;
const PAGE = 100;

/**
 * Makes breakers half-open after their cool-down. The time is in the database: a process that starts after
 * a crash continues the work, and several processes share it.
 */
@Injectable()
export class CoolDowns {
  private readonly logger = new Logger(CoolDowns.name);
  private readonly rounds = new Rounds({
    periodMs: PERIOD_MS,
    round: () => this.endAll(),
    // The database is away: a later round finds these breakers.
    onError: (error) => this.logger.debug({ err: error }, 'breaker.round_failed'),
  });

  constructor(
    private readonly database: Database,
    jobs: PeriodicJobs,
  ) {
    jobs.add(this.rounds);
  }

  private async endAll(): Promise<void> {
    while (!this.rounds.isStopping && (await this.endSome()) === PAGE);
  }

  /** @returns how many were due, up to a page */
  private async endSome(): Promise<number> {
    return this.database.transaction(async (tx) => {
      const due = await lockCooledDown(tx, PAGE);
      if (due.size === 0) return 0;
      const settings = await breakerSettings(tx, [...due.keys()]);
      const now = Date.now();
      const results = [...due].flatMap(([endpointId, breaker]) => {
        const own = settings.get(endpointId);
        return own ? [{ endpointId, ...runBreaker(endpointId, breaker, [{ type: 'ticked' }], own, now) }] : [];
      });
      const unseen = { lastSuccessAt: undefined, lastFailureAt: undefined };
      await storeHealth(
        tx,
        results.map(({ endpointId, breaker }) => ({ endpointId, breaker, ...unseen })),
      );
      await announceChanges(
        tx,
        results.flatMap(({ changes }) => changes),
      );
      return due.size;
    });
  }
}
