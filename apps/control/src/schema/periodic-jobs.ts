import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import type { Rounds } from '#common/timing/rounds.js';
import { SchemaState } from './schema-state.js';

interface Job {
  readonly rounds: Rounds;
  readonly after: Promise<unknown> | undefined;
}

/** Starts the periodic jobs of the features when the tables are ready, and stops them when the app does. */
@Injectable()
export class PeriodicJobs implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly jobs: Job[] = [];

  constructor(private readonly schema: SchemaState) {}

  /** For constructors of providers. @param after the first round also waits for it */
  add(rounds: Rounds, after?: Promise<unknown>): void {
    this.jobs.push({ rounds, after });
  }

  onApplicationBootstrap(): void {
    for (const { rounds, after } of this.jobs) rounds.startAfter(Promise.all([this.schema.ready, after]));
  }

  onModuleDestroy(): void {
    for (const { rounds } of this.jobs) rounds.stop();
  }
}
