import { Logger } from '@nestjs/common';
import { createDataSource } from './data-source.js';
import { isUnavailable } from './errors.js';

const RETRY_MS = 1_000;
const logger = new Logger('migrate');

/**
 * Brings the schema up to date. Processes that do so at once take turns under an advisory lock. A server that is away
 * or starting is waited for.
 *
 * @throws what a migration fails of; nothing of that migration is kept then
 */
export async function migrate(url: string): Promise<void> {
  for (;;) {
    try {
      return await runMigrations(url);
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      logger.warn({ err: error }, 'migrate.waiting_for_postgres');
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

async function runMigrations(url: string): Promise<void> {
  const dataSource = await createDataSource(url).initialize();
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
