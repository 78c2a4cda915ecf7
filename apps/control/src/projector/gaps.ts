import { Injectable, Logger } from '@nestjs/common';
import { Health } from '#common/observability/health.js';
import { Database, type Queryable } from '#common/postgres/database.js';
import { Rounds } from '#common/timing/rounds.js';
import { PeriodicJobs } from '../schema/periodic-jobs.js';
import { projectorGapRecords } from './metrics.js';

/** Offsets of a partition that the database lacks, though records behind them were projected before. */
export interface ProjectorGap {
  readonly topic: string;
  readonly partition: number;
  readonly fromOffset: number;
  readonly toOffset: number;
  /** Kafka's time of the last record before the gap. */
  readonly since: Date;
}

const logger = new Logger('projectorGaps');

/**
 * Notes gaps in the transaction that continues behind them. Kafka holds the group's commit, so a database that was restored
 * from a backup lacks the records projected since.
 */
export async function noteGaps(tx: Queryable, gaps: readonly ProjectorGap[]): Promise<void> {
  for (const gap of gaps) {
    logger.error({ ...gap, remedy: REMEDY }, 'projector.records_missing');
    await tx.query(
      `INSERT INTO projector_gaps (topic, partition, from_offset, to_offset, since) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT DO NOTHING`,
      [gap.topic, gap.partition, gap.fromOffset, gap.toOffset, gap.since],
    );
  }
}

const REMEDY = 'npm run rebuild -- --since <time>';
const PERIOD_MS = 5_000;

/** Says in readiness and in a metric which records the database lacks. */
@Injectable()
export class ProjectorGaps {
  private warning: string | undefined;
  private readonly rounds = new Rounds({
    periodMs: PERIOD_MS,
    round: () => this.look(),
    onError: (error) => logger.debug({ err: error }, 'projector.gaps_unknown'),
  });

  constructor(
    private readonly database: Database,
    jobs: PeriodicJobs,
    health: Health,
  ) {
    jobs.add(this.rounds);
    health.addReadiness({ name: 'projector-gaps', problem: () => undefined, warning: () => this.warning });
  }

  private async look(): Promise<void> {
    const [row] = await this.database.query<{ records: number; since: Date | null }>(
      'SELECT coalesce(sum(to_offset - from_offset), 0)::bigint AS records, min(since) AS since FROM projector_gaps',
    );
    const { records = 0, since = null } = row ?? {};
    projectorGapRecords.set(records);
    this.warning =
      since === null
        ? undefined
        : `the database lacks up to ${records} records of attempts and dlq: npm run rebuild -- --since ${since.toISOString()}`;
  }
}
