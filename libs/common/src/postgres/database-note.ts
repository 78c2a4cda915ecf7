import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Health } from '../observability/health.js';
import { Rounds } from '../timing/rounds.js';
import { Database } from './database.js';

const PERIOD_MS = 5_000;

/**
 * Shows PostgreSQL's problem in readiness, for apps that work without it for a while. It probes every 5 s: an app without
 * traffic must show a wrong password, too.
 */
@Injectable()
export class DatabaseNote implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly rounds: Rounds;

  constructor(database: Database, health: Health) {
    health.addNote({ name: 'postgres', problem: () => database.problem });
    this.rounds = new Rounds({
      periodMs: PERIOD_MS,
      round: () => database.probe(),
      // A probe never throws: `problem` shows its outcome.
      onError: () => undefined,
    });
  }

  onApplicationBootstrap(): void {
    this.rounds.startAfter(Promise.resolve());
  }

  onModuleDestroy(): void {
    this.rounds.stop();
  }
}
