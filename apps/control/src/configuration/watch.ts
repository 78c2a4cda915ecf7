import { Injectable, Logger } from '@nestjs/common';
import { Database } from '#common/postgres/database.js';
import { Rounds } from '#common/timing/rounds.js';
import { PeriodicJobs } from '../schema/periodic-jobs.js';
import { Comparer } from './comparer.js';
import { ConfigurationTopics } from './topics.js';

const PERIOD_MS = 1_000;

/** Lets every process of control know whether its database was restored, also those that do not own the outbox. */
@Injectable()
export class ConfigurationWatch {
  private readonly logger = new Logger(ConfigurationWatch.name);
  private readonly rounds = new Rounds({
    periodMs: PERIOD_MS,
    round: () => this.comparer.compareAgain(this.database),
    onError: (error) => this.logger.debug({ err: error }, 'configuration.not_compared'),
  });

  constructor(
    private readonly database: Database,
    jobs: PeriodicJobs,
    topics: ConfigurationTopics,
    private readonly comparer: Comparer,
  ) {
    jobs.add(this.rounds, topics.ready);
  }
}
