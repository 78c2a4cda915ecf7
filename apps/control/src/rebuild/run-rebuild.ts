import { z } from 'zod';
import { kafkaEnv, loadConfig, postgresEnv } from '#common/config/env.js';
import { kafkaClient } from '#common/kafka/connect.js';
import { kafkaSettings } from '#common/kafka/port/settings.js';
import { Database } from '#common/postgres/database.js';
import { type RebuildOptions, type RebuildSummary, rebuild } from './rebuild.js';

const rebuildSchema = z.object({ ...kafkaEnv, ...postgresEnv });

/** A statement of a rebuild handles whole pages, beside live traffic. */
const STATEMENT_TIMEOUT_MS = 120_000;

/** Runs {@link rebuild} against the servers that the environment names. @throws InvalidConfigError naming bad variables */
export async function runRebuild({
  env,
  ...options
}: Pick<RebuildOptions, 'sinceMs' | 'isDryRun' | 'onProgress'> & { env: NodeJS.ProcessEnv }): Promise<RebuildSummary> {
  const config = loadConfig(rebuildSchema, env);
  const database = new Database({
    url: config.DATABASE_URL,
    poolSize: 1,
    applicationName: 'posthorn-rebuild',
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  });
  const settings = kafkaSettings('rebuild', config, {
    topicsReady: Promise.resolve(),
    onFatal: (error) => {
      throw error;
    },
  });
  try {
    return await rebuild({ ...options, kafka: kafkaClient(settings), database, maxEventBytes: config.MAX_EVENT_BYTES });
  } finally {
    await database.close();
  }
}
