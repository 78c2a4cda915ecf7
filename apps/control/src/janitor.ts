import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Database } from '#common/postgres/database.js';
import { createPartitions, dropOldPartitions, forgetEventKeys } from '#common/postgres/partitions.js';
import { CONTROL_CONFIG, type ControlConfig } from './config.js';
import { endpointCount } from './metrics.js';
import { SchemaState } from './schema-state.js';

const PERIOD_MS = 60_000;
const DAY_MS = 86_400_000;
const KEYS_AT_ONCE = 20_000;

/** Keeps the tables within bounds: partitions ahead of time, old ones dropped, old event ids and dead letters forgotten. */
@Injectable()
export class Janitor implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(Janitor.name);
  private timer: NodeJS.Timeout | undefined;
  private isStopping = false;

  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
    @Inject(SchemaState) private readonly schema: SchemaState,
  ) {}

  onApplicationBootstrap(): void {
    void this.schema.ready.then(() => this.round());
  }

  onModuleDestroy(): void {
    this.isStopping = true;
    clearTimeout(this.timer);
  }

  /** What fails is tried again in the next round; in several processes at once, all of this is harmless. */
  private async round(): Promise<void> {
    try {
      await this.sweep(Date.now());
    } catch (error) {
      this.logger.warn({ err: error }, 'janitor.failed');
    }
    if (!this.isStopping) this.timer = setTimeout(() => void this.round(), PERIOD_MS);
  }

  private async sweep(nowMs: number): Promise<void> {
    await this.countEndpoints();
    const created = await createPartitions(this.database, nowMs);
    const dropped = await dropOldPartitions(this.database, nowMs, this.config.RETENTION_DAYS);
    let forgotten = 0;
    for (let count = KEYS_AT_ONCE; count === KEYS_AT_ONCE && !this.isStopping; forgotten += count) {
      count = await forgetEventKeys(this.database, nowMs, KEYS_AT_ONCE);
    }
    const oldest = new Date(nowMs - this.config.RETENTION_DAYS * DAY_MS);
    await this.database.query('DELETE FROM dead_letters WHERE dead_at < $1', [oldest]);
    if (created.length + dropped.length + forgotten > 0) {
      this.logger.log({ created, dropped, event_keys_forgotten: forgotten }, 'janitor.swept');
    }
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
