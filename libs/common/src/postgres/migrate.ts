import { Logger } from '@nestjs/common';
import { delay } from '../timing/timing.js';
import { createDataSource } from './data-source.js';
import { classifyError, describeProblem, markConnectError } from './errors.js';

const RETRY_MS = 1_000;
const logger = new Logger('migrate');

/**
 * Brings the schema up to date. Processes that do so at once take turns under an advisory lock. A server that is away, a
 * wrong password or a missing right is waited for.
 *
 * @param onWait called with the reason of a wait, for readiness
 * @throws a migration's error; that migration is rolled back
 */
export async function migrate(url: string, onWait: (problem: string) => void = () => undefined): Promise<void> {
  for (;;) {
    try {
      return await runMigrations(url);
    } catch (error) {
      if (isOfMigration(error)) throw error;
      onWait(describeProblem(error));
      logger.warn({ err: error }, 'migrate.waiting_for_postgres');
      await delay(RETRY_MS);
    }
  }
}

/** A migration that does not fit the schema it finds will never do. */
function isOfMigration(error: unknown): boolean {
  const meaning = classifyError(error);
  return meaning.kind !== 'wait' || meaning.reason === 'schema_mismatch';
}

async function runMigrations(url: string): Promise<void> {
  const dataSource = createDataSource(url);
  await dataSource.initialize().catch((error: unknown) => {
    markConnectError(error);
    throw error;
  });
  try {
    // A session lock, on a connection that outlives every migration's own transaction; it ends with the connection.
    const lock = dataSource.createQueryRunner();
    await lock.query(`SELECT pg_advisory_lock(hashtextextended('posthorn.migrate.' || current_schema(), 0))`);
    const done = await dataSource.runMigrations().finally(() => lock.release());
    for (const { name } of done) logger.log({ migration: name }, 'migrate.done');
  } finally {
    await dataSource.destroy();
  }
}
