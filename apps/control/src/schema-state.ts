import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { Health } from '#common/observability/health.js';
import { Database } from '#common/postgres/database.js';
import { describeProblem, isUnavailable } from '#common/postgres/errors.js';
import { migrate } from '#common/postgres/migrate.js';
import { createPartitions } from '#common/postgres/partitions.js';
import { type SealedPurpose, Sealer, sealingContext } from '#common/security/sealing.js';
import { ApiKeysService } from './api-keys/api-keys.service.js';
import { CONTROL_CONFIG, type ControlConfig } from './config.js';

const RETRY_MS = 1_000;

/**
 * Makes the database ready: schema, partitions, the configured admin key, and that every stored secret has its key. HTTP
 * answers meanwhile, that it is not ready; what `judgeError` calls `wait` is waited for. Any other failure ends the process.
 */
@Injectable()
export class SchemaState implements OnModuleInit {
  private readonly logger = new Logger(SchemaState.name);
  private readonly done = Promise.withResolvers<void>();
  private isDone = false;
  private waitsFor: string | undefined;

  constructor(
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
    @Inject(Database) private readonly database: Database,
    @Inject(Sealer) private readonly sealer: Sealer,
    @Inject(ApiKeysService) private readonly apiKeys: ApiKeysService,
    @Inject(Health) health: Health,
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
    await this.untilAvailable(() => this.requireSealingKeys());
    const { ADMIN_API_KEY: adminKey } = this.config;
    if (adminKey !== undefined) await this.untilAvailable(() => this.apiKeys.ensureAdminKey(adminKey));
    this.isDone = true;
    this.done.resolve();
  }

  /** Opens one stored text for each key they were sealed under: a lost or changed key shows now, not at a delivery. */
  private async requireSealingKeys(): Promise<void> {
    const texts = await this.database.query<{ sealed: string; tenant: string; id: string; purpose: SealedPurpose }>(
      `SELECT DISTINCT ON (split_part(sealed, ':', 2)) sealed, tenant, id, purpose
       FROM (SELECT s.sealed, e.tenant, e.id, 'secret' AS purpose FROM endpoint_secrets s JOIN endpoints e ON e.id = s.endpoint_id
             UNION ALL SELECT headers_sealed, tenant, id, 'headers' FROM endpoints WHERE headers_sealed IS NOT NULL) t`,
    );
    for (const { sealed, tenant, id, purpose } of texts) this.sealer.open(sealed, sealingContext(tenant, id, purpose));
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
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }
}
