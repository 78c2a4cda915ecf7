import { type DynamicModule, Module, type OnApplicationShutdown } from '@nestjs/common';
import { Database } from './database.js';

/** The part of an app's configuration that `postgresEnv` gives. */
export interface PostgresConfig {
  readonly DATABASE_URL: string;
  readonly DATABASE_POOL_SIZE: number;
}

/** Gives {@link Database} to every module of an app, and closes it last. */
@Module({})
export class PostgresModule implements OnApplicationShutdown {
  static forApp(options: { app: string; config: PostgresConfig; readsByKey?: boolean }): DynamicModule {
    const { app, config, readsByKey = false } = options;
    const { DATABASE_URL: url, DATABASE_POOL_SIZE: poolSize } = config;
    const database = {
      provide: Database,
      useFactory: () => new Database({ url, poolSize, applicationName: `posthorn-${app}`, readsByKey }),
    };
    return { module: PostgresModule, global: true, providers: [database], exports: [Database] };
  }

  constructor(private readonly database: Database) {}

  async onApplicationShutdown(): Promise<void> {
    await this.database.close();
  }
}
