import { DataSource } from 'typeorm';
import { CreateTables0001 } from './migrations/0001-create-tables.js';
import { CreateLanes0002 } from './migrations/0002-create-lanes.js';
import { HoldEndpoints0003 } from './migrations/0003-hold-endpoints.js';
import { OrderKeysByTime0004 } from './migrations/0004-order-keys-by-time.js';
import { FirstAttemptInDelivery0005 } from './migrations/0005-first-attempt-in-delivery.js';
import { CountGenerations0006 } from './migrations/0006-count-generations.js';
import { NumberConfiguration0007 } from './migrations/0007-number-configuration.js';
import { Rebuild0008 } from './migrations/0008-rebuild.js';
import { NumberLostTails0009 } from './migrations/0009-number-lost-tails.js';

/** Every migration, oldest first. Numbered, never edited after a release. */
export const MIGRATIONS = [
  CreateTables0001,
  CreateLanes0002,
  HoldEndpoints0003,
  OrderKeysByTime0004,
  FirstAttemptInDelivery0005,
  CountGenerations0006,
  NumberConfiguration0007,
  Rebuild0008,
  NumberLostTails0009,
];

/**
 * Keeps the schema's history. Repositories of configuration run on the connections of `Database` (repositories.ts).
 *
 * @param migrations fewer, for the schema of an earlier release
 */
export function createDataSource(url: string, migrations = MIGRATIONS): DataSource {
  return new DataSource({
    type: 'postgres',
    url,
    applicationName: 'posthorn-migrate',
    migrations,
    migrationsTableName: 'posthorn_migrations',
    migrationsTransactionMode: 'each',
    synchronize: false,
    poolSize: 2,
    connectTimeoutMS: 5_000,
  });
}
