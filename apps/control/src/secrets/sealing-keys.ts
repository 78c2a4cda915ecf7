import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { ProblemError } from '#common/http/problem.js';
import { Health } from '#common/observability/health.js';
import { Database, type Queryable } from '#common/postgres/database.js';
import { missingKeyProblem } from '#common/security/missing-keys.js';
import { type SealedPurpose, Sealer, SealingError, sealingContext } from '#common/security/sealing.js';
import { Rounds } from '#common/timing/rounds.js';
import { SchemaState } from '../schema/schema-state.js';

const PERIOD_MS = 5_000;
/** Looking takes at most this part of the time, however many endpoints there are. */
const SHARE = 0.02;
/** Texts of one key that are tried: one that does not open may be damaged, while its key is right. */
const SAMPLES = 20;

interface SealedText {
  readonly sealed: string;
  readonly tenant: string;
  readonly id: string;
  readonly purpose: SealedPurpose;
}

export interface UsedKey {
  readonly key_id: string;
  readonly endpoints: number;
  readonly samples: readonly SealedText[];
}

/**
 * Seals secrets, and watches whether `SECRET_KEYS` has every key that stored secrets are sealed under. A lost or changed
 * key shows in readiness before a delivery needs it.
 */
@Injectable()
export class SealingKeys implements OnModuleDestroy {
  private readonly logger = new Logger(SealingKeys.name);
  private readonly found = Promise.withResolvers<void>();
  private readonly rounds = new Rounds({
    periodMs: PERIOD_MS,
    share: SHARE,
    round: () => this.check(),
    onError: (error) => this.logger.debug({ err: error }, 'secret_keys.not_checked'),
  });
  private problem: string | undefined;
  /** Other processes have another key under the sealing key's id: they could not open its secrets. */
  private isSealingWrong = false;

  constructor(
    private readonly database: Database,
    private readonly sealer: Sealer,
    schema: SchemaState,
    health: Health,
  ) {
    schema.beforeReady(() => this.start());
    health.addReadiness({ name: 'secret_keys', problem: () => this.problem });
  }

  /** Resolves when every key that stored secrets need is there. */
  get allFound(): Promise<void> {
    return this.found.promise;
  }

  onModuleDestroy(): void {
    this.rounds.stop();
  }

  /** @throws ProblemError SECRET_KEYS_WRONG when a secret that is sealed now could not be opened later */
  seal(plain: Buffer, context: string): string {
    if (this.isSealingWrong) throw new ProblemError('SECRET_KEYS_WRONG', this.problem ?? 'the sealing key is wrong');
    return this.sealer.seal(plain, context);
  }

  /** The first check has the database's errors; it must succeed before anything is sealed. */
  private async start(): Promise<void> {
    await this.check();
    this.rounds.startAfter(new Promise((resolve) => setTimeout(resolve, PERIOD_MS).unref()));
  }

  private async check(): Promise<void> {
    const missing = (await usedKeys(this.database)).filter(({ samples }) => !samples.some((text) => this.opens(text)));
    const problems = missing.map(({ key_id, endpoints }) => missingKeyProblem(this.sealer, key_id, endpoints));
    const problem = problems.length === 0 ? undefined : problems.join('; ');
    const keyIds = missing.map(({ key_id }) => key_id);
    this.isSealingWrong = keyIds.includes(this.sealer.sealsUnder);
    if (problem !== this.problem) {
      if (problem !== undefined) this.logger.error({ key_ids: keyIds, problem }, 'secret_keys.missing');
      else this.logger.log('secret_keys.found');
    }
    this.problem = problem;
    if (problem === undefined) this.found.resolve();
  }

  private opens({ sealed, tenant, id, purpose }: SealedText): boolean {
    try {
      this.sealer.open(sealed, sealingContext(tenant, id, purpose));
      return true;
    } catch (error) {
      if (!(error instanceof SealingError)) throw error;
      return false;
    }
  }
}

/** Every key that a secret in use is sealed under, with some of its texts. */
export async function usedKeys(database: Queryable): Promise<UsedKey[]> {
  return database.query<UsedKey>(
    `SELECT key_id, count(DISTINCT id) AS endpoints,
       jsonb_agg(jsonb_build_object('sealed', sealed, 'tenant', tenant, 'id', id, 'purpose', purpose))
         FILTER (WHERE sample <= ${SAMPLES}) AS samples
     FROM (
       SELECT *, row_number() OVER (PARTITION BY key_id) AS sample FROM (
         SELECT s.sealed, split_part(s.sealed, ':', 2) AS key_id, e.tenant, e.id, 'secret' AS purpose
         FROM endpoint_secrets s JOIN endpoints e ON e.id = s.endpoint_id
         WHERE s.expires_at IS NULL OR s.expires_at > now()
         UNION ALL
         SELECT headers_sealed, split_part(headers_sealed, ':', 2), tenant, id, 'headers' FROM endpoints
         WHERE headers_sealed IS NOT NULL
       ) texts
     ) numbered
     GROUP BY key_id ORDER BY key_id`,
  );
}
