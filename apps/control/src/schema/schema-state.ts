import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { Health } from '#common/observability/health.js';
import { Database } from '#common/postgres/database.js';
import { describeProblem, isUnavailable } from '#common/postgres/errors.js';
import { migrate } from '#common/postgres/migrate.js';
import { createPartitions } from '#common/postgres/partitions.js';
import { delay } from '#common/timing/timing.js';
import { CONTROL_CONFIG } from '../shared/control-config.js';

const RETRY_MS = 1_000;

/** Options of {@link SchemaState}. */
export interface SchemaConfig {
  readonly DATABASE_URL: string;
}

/**
 * Makes the database ready: the schema, the partitions, and the steps that features add. During that time, HTTP answers that
 * the app is not ready. Errors that `classifyError` calls `wait` are retried; any other failure ends the process.
 */
@Injectable()
export class SchemaState implements OnModuleInit {
  private readonly logger = new Logger(SchemaState.name);
  private readonly done = Promise.withResolvers<void>();
  private isDone = false;
  private waitsFor: string | undefined;
  private readonly steps: (() => Promise<unknown>)[] = [];

  constructor(
    @Inject(CONTROL_CONFIG) private readonly config: SchemaConfig,
    private readonly database: Database,
    health: Health,
  ) {
    const problem = () => (this.isDone ? database.problem : this.notReady());
    health.addReadiness({ name: 'postgres', problem });
  }

  onModuleInit(): void {
    this.prepare().catch((error: unknown) => {
      this.logger.fatal({ err: error }, 'schema.failed');
      process.exit(1);
    });
  }

  /**
   * Adds work that needs the tables and must succeed before {@link ready} resolves. Constructors call it: the steps begin when
   * every provider exists.
   */
  beforeReady(step: () => Promise<unknown>): void {
    this.steps.push(step);
  }

  /** Resolves when the tables can be used. */
  get ready(): Promise<void> {
    return this.done.promise;
  }

  get isReady(): boolean {
    return this.isDone;
  }

  private notReady(): string {
    return `the schema is not ready${this.waitsFor === undefined ? '' : `; ${this.waitsFor}`}`;
  }

  private async prepare(): Promise<void> {
    await migrate(this.config.DATABASE_URL, (problem) => {
      this.waitsFor = problem;
    });
    await this.untilAvailable(() => createPartitions(this.database, Date.now()));
    for (const step of this.steps) await this.untilAvailable(step);
    this.isDone = true;
    this.done.resolve();
  }

  private async untilAvailable(work: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await work();
        return;
      } catch (error) {
        if (!isUnavailable(error)) throw error;
        this.waitsFor = describeProblem(error);
        this.logger.warn({ err: error }, 'schema.waiting_for_postgres');
        await delay(RETRY_MS);
      }
    }
  }
}
