import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Database, type Queryable } from '#common/postgres/database.js';
import type { Recovery } from '#common/postgres/entities/recovery.js';
import { classifyError } from '#common/postgres/errors.js';
import { requestedReplays } from '../replays/metrics.js';
import { ReplayRecords } from '../replays/replay-records.js';
import { SchemaState } from '../schema/schema-state.js';
import { CONTROL_CONFIG } from '../shared/control-config.js';
import { Wake } from '../shared/wake.js';
import { replayPage } from './dead-letter-replay.js';
import { recoverPage } from './endpoint-recovery.js';
import { advanceRecovery, lockDueRecovery, msUntilDue } from './recovery.repository.js';
import type { RecoveryPage } from './recovery-page.js';

/** Longest sleep: a job may have been begun by another process. */
const POLL_MS = 1_000;
const MAX_UNKNOWN_FAILURES = 3;
const PAGES = { endpoint: recoverPage, dead_letters: replayPage } as const;

/** Options of {@link RecoveryWorker}. */
export interface RecoveryConfig {
  readonly RECOVERY_PER_SECOND: number;
}

/**
 * Runs recoveries and bulk replays, a page to a transaction: its records for Kafka, the deliveries' new lives, the
 * cursor and the progress are stored together. After a crash at any moment the next process continues there; each delivery
 * is sent once. Several processes share the jobs, none waits for another.
 */
@Injectable()
export class RecoveryWorker implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(RecoveryWorker.name);
  private readonly wake = new Wake();
  private isStopping = false;
  /** By job: errors of unknown kind since its last page. */
  private readonly failures = new Map<string, number>();
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: Database,
    @Inject(CONTROL_CONFIG) private readonly config: RecoveryConfig,
    private readonly schema: SchemaState,
    private readonly records: ReplayRecords,
  ) {}

  onApplicationBootstrap(): void {
    void this.schema.ready.then(() => {
      this.running = this.run();
    });
  }

  /** The present page is finished first. */
  async onModuleDestroy(): Promise<void> {
    this.isStopping = true;
    this.wake.call();
    await this.running;
  }

  /** There is a new job. */
  begin(): void {
    this.wake.call();
  }

  private async run(): Promise<void> {
    while (!this.isStopping) {
      try {
        if (await this.runPage()) continue;
        const waitMs = (await msUntilDue(this.database)) ?? POLL_MS;
        await this.wake.wait(Math.min(POLL_MS, Math.max(1, waitMs)));
      } catch (error) {
        this.logger.warn({ err: error }, 'recovery.retrying');
        await this.wake.wait(POLL_MS);
      }
    }
  }

  /** @returns false when no page is due */
  private async runPage(): Promise<boolean> {
    let job: Recovery | undefined;
    try {
      await this.database.transaction(async (tx) => {
        job = await lockDueRecovery(tx);
        if (job !== undefined) await this.advance(tx, job);
      });
      if (job !== undefined) this.failures.delete(job.id);
      return job !== undefined;
    } catch (error) {
      if (job === undefined || !this.isJobAtFault(job, error)) throw error;
      // A page that can never be done must not stop the other jobs.
      this.logger.error({ err: error, recovery_id: job.id }, 'recovery.failed');
      await advanceRecovery(this.database, { ...job, state: 'failed', problem: 'internal error' }, 0);
      return true;
    }
  }

  /** A job fails at its fourth error of unknown kind in a row. The lock statement succeeded each time, so PostgreSQL was reachable. */
  private isJobAtFault({ id }: Recovery, error: unknown): boolean {
    const { kind } = classifyError(error);
    if (kind === 'wait') return false;
    const failures = (this.failures.get(id) ?? 0) + 1;
    this.failures.set(id, failures);
    const isAtFault = kind === 'row' || failures > MAX_UNKNOWN_FAILURES;
    if (isAtFault) this.failures.delete(id);
    return isAtFault;
  }

  private async advance(tx: Queryable, job: Recovery): Promise<void> {
    const page = await PAGES[job.kind](tx, job, this.records);
    const sent = 'problem' in page ? 0 : page.sent;
    await advanceRecovery(tx, after(job, page), sent / this.config.RECOVERY_PER_SECOND);
    if (sent > 0) requestedReplays.inc({ kind: job.kind === 'endpoint' ? 'recovery' : 'bulk' }, sent);
  }
}

function after(job: Recovery, page: RecoveryPage): Recovery {
  if ('problem' in page) return { ...job, state: 'failed', problem: page.problem };
  const { found, sent } = page;
  const cursor = page.cursor ?? null;
  if (job.state === 'counting') {
    return { ...job, total: job.total + found, cursor, state: cursor === null ? 'sending' : 'counting' };
  }
  const progress = { sent: job.sent + sent, skipped: job.skipped + found - sent };
  return { ...job, ...progress, cursor, state: cursor === null ? 'done' : 'sending' };
}
