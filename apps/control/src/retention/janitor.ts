import { Inject, Injectable, Logger } from '@nestjs/common';
import { Database } from '#common/postgres/database.js';
import { forgetLaneEvidence } from '#common/postgres/lane-evidence.js';
import { createPartitions, dropOldPartitions, forgetEventKeys } from '#common/postgres/partitions.js';
import { Rounds } from '#common/timing/rounds.js';
import { forgetChanges } from '../changes/changes.js';
import { PeriodicJobs } from '../schema/periodic-jobs.js';
import { CONTROL_CONFIG } from '../shared/control-config.js';
import { endpointCount } from './metrics.js';

const PERIOD_MS = 60_000;
const DAY_MS = 86_400_000;
const ROWS_AT_ONCE = 20_000;
/** The rates of the last hour need no more. */
const MINUTES_KEPT_MS = 2 * 3_600_000;

/** Options of {@link Janitor}. */
export interface RetentionConfig {
  readonly RETENTION_DAYS: number;
}

/** Keeps the tables within bounds: creates partitions ahead of time, drops old ones, and deletes old rows. */
@Injectable()
export class Janitor {
  private readonly logger = new Logger(Janitor.name);
  private readonly rounds = new Rounds({
    periodMs: PERIOD_MS,
    round: () => this.sweep(Date.now()),
    onError: (error) => this.logger.warn({ err: error }, 'janitor.failed'),
  });

  constructor(
    private readonly database: Database,
    @Inject(CONTROL_CONFIG) private readonly config: RetentionConfig,
    jobs: PeriodicJobs,
  ) {
    jobs.add(this.rounds);
  }

  /** In several processes at once, all of this is harmless. A task that fails keeps no other from its turn. */
  private async sweep(nowMs: number): Promise<void> {
    const oldest = new Date(nowMs - this.config.RETENTION_DAYS * DAY_MS);
    const tasks: Record<string, () => Promise<unknown>> = {
      created: () => createPartitions(this.database, nowMs),
      dropped: () => dropOldPartitions(this.database, nowMs, this.config.RETENTION_DAYS),
      event_keys_forgotten: () => this.inPortions((atMost) => forgetEventKeys(this.database, nowMs, atMost)),
      lanes_forgotten: () => this.inPortions((atMost) => forgetLaneEvidence(this.database, nowMs, atMost)),
      changes: () => forgetChanges(this.database),
      rest: () => this.forgetRest(nowMs, oldest),
      endpoints: () => this.countEndpoints(),
    };
    const done: Record<string, unknown> = {};
    const errors: unknown[] = [];
    for (const [name, task] of Object.entries(tasks)) {
      await task().then(
        (result) => {
          if (result !== undefined && result !== 0 && !isEmpty(result)) done[name] = result;
        },
        (error: unknown) => errors.push(error),
      );
    }
    if (Object.keys(done).length > 0) this.logger.log(done, 'janitor.swept');
    if (errors.length > 0) throw errors[0];
  }

  private async forgetRest(nowMs: number, oldest: Date): Promise<void> {
    await this.database.query('DELETE FROM dead_letters WHERE dead_at < $1', [oldest]);
    await this.database.query(`DELETE FROM recoveries WHERE updated_at < $1 AND state NOT IN ('counting', 'sending')`, [
      oldest,
    ]);
    await this.database.query('DELETE FROM endpoint_minutes WHERE minute < $1', [new Date(nowMs - MINUTES_KEPT_MS)]);
  }

  private async inPortions(forget: (atMost: number) => Promise<number>): Promise<number> {
    let forgotten = 0;
    for (let count = ROWS_AT_ONCE; count === ROWS_AT_ONCE && !this.rounds.isStopping; forgotten += count) {
      count = await forget(ROWS_AT_ONCE);
    }
    return forgotten;
  }

  private async countEndpoints(): Promise<void> {
    const [row] = await this.database.query<{ active: number; disabled: number }>(
      `SELECT count(*) FILTER (WHERE status = 'active') AS active,
         count(*) FILTER (WHERE status = 'disabled') AS disabled FROM endpoints`,
    );
    endpointCount.set({ status: 'active' }, row?.active ?? 0);
    endpointCount.set({ status: 'disabled' }, row?.disabled ?? 0);
  }
}

function isEmpty(result: unknown): boolean {
  return Array.isArray(result) && result.length === 0;
}
