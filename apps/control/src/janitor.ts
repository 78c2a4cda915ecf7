import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Database } from '#common/postgres/database.js';
import { forgetLaneEvidence } from '#common/postgres/lane-evidence.js';
import { createPartitions, dropOldPartitions, forgetEventKeys } from '#common/postgres/partitions.js';
import { Rounds } from '#common/rounds.js';
import { CONTROL_CONFIG, type ControlConfig } from './config.js';
import { forgetChanges } from './configuration/changes.js';
import { endpointCount } from './metrics.js';
import { SchemaState } from './schema-state.js';

const PERIOD_MS = 60_000;
const DAY_MS = 86_400_000;
const ROWS_AT_ONCE = 20_000;
/** The rates of the last hour need no more. */
const MINUTES_KEPT_MS = 2 * 3_600_000;

/** Keeps the tables within bounds: partitions ahead of time, old ones dropped, what is old forgotten. */
@Injectable()
export class Janitor implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(Janitor.name);
  private readonly rounds = new Rounds({
    periodMs: PERIOD_MS,
    round: () => this.sweep(Date.now()),
    onError: (error) => this.logger.warn({ err: error }, 'janitor.failed'),
  });

  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
    @Inject(SchemaState) private readonly schema: SchemaState,
  ) {}

  onApplicationBootstrap(): void {
    this.rounds.startAfter(this.schema.ready);
  }

  onModuleDestroy(): void {
    this.rounds.stop();
  }

  /** In several processes at once, all of this is harmless. */
  private async sweep(nowMs: number): Promise<void> {
    await this.countEndpoints();
    const created = await createPartitions(this.database, nowMs);
    const dropped = await dropOldPartitions(this.database, nowMs, this.config.RETENTION_DAYS);
    const keys = await this.inPortions((atMost) => forgetEventKeys(this.database, nowMs, atMost));
    const lanes = await this.inPortions((atMost) => forgetLaneEvidence(this.database, nowMs, atMost));
    await forgetChanges(this.database);
    const oldest = new Date(nowMs - this.config.RETENTION_DAYS * DAY_MS);
    await this.database.query('DELETE FROM dead_letters WHERE dead_at < $1', [oldest]);
    await this.database.query(`DELETE FROM recoveries WHERE updated_at < $1 AND state NOT IN ('counting', 'sending')`, [
      oldest,
    ]);
    await this.database.query('DELETE FROM endpoint_minutes WHERE minute < $1', [new Date(nowMs - MINUTES_KEPT_MS)]);
    if (created.length + dropped.length + keys + lanes > 0) {
      this.logger.log({ created, dropped, event_keys_forgotten: keys, lanes_forgotten: lanes }, 'janitor.swept');
    }
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
