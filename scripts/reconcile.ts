import { z } from 'zod';
import { kafkaEnv, loadConfig, postgresEnv, trustEnv } from '#common/config/env.js';
import { kafkaClient } from '#common/kafka/connect.js';
import { kafkaSettings } from '#common/kafka/port/settings.js';
import { Database } from '#common/postgres/database.js';
import { IncompleteTopicError, reconcile } from '#control/configuration/reconcile.js';
import { runCommand } from './lib/command.mjs';
import { withConfigErrors } from './lib/config-errors.ts';
import { optionsOf } from './lib/options.mjs';
import { withServers } from './lib/running-system.ts';
import { configPublicKey } from './lib/secrets.mjs';
import { readSettings, UserError } from './lib/settings.mjs';
import { reportOf } from './reconcile/report.ts';

const KEEPS = ['topics', 'database'] as const;

const HELP = `Makes the configuration topics and the database one, after PostgreSQL was restored from a backup.

npm run reconcile -- --keep topics|database [--dry-run]

  --keep      topics    the database becomes what the topics have: what was changed since the backup is kept, and what the
                        topics lack is deleted from the database
              database  the topics become what the database has: changes since the backup are undone
  --dry-run   prints each difference, and changes nothing

Servers are those of the system npm start runs, or KAFKA_BROKERS (with KAFKA_TOPIC_PREFIX, if there is one) and DATABASE_URL.
CONFIG_PUBLIC_KEYS and REQUIRE_SIGNED_RECORDS say which records count, as for the apps. Control may keep running: it
leaves the state CONFIGURATION_AHEAD by itself. Run again, it finds no difference.
`;

await runCommand(main);

async function main() {
  const options = readArguments();
  if (options === undefined) {
    process.stdout.write(HELP);
    return;
  }
  const env = environment(process.env);
  const config = await readConfig(env);
  const kafka = kafkaClient(kafkaSettings('reconcile', config, { topicsReady: Promise.resolve(), onFatal: fail }));
  const database = new Database({ url: config.DATABASE_URL, poolSize: 1, applicationName: 'posthorn-reconcile' });
  try {
    const reconciliation = await reconcile(database, kafka, options);
    process.stdout.write(`${reportOf(reconciliation, options).join('\n')}\n`);
  } catch (error) {
    throw error instanceof IncompleteTopicError ? new UserError(error.message) : error;
  } finally {
    await database.close();
  }
}

/** @throws UserError naming every bad variable */
function readConfig(env: NodeJS.ProcessEnv) {
  return withConfigErrors(() => loadConfig(z.object({ ...kafkaEnv, ...postgresEnv, ...trustEnv }), env));
}

/** The environment; with the servers of `npm start`, also its keys. */
function environment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const servers = withServers(env);
  if (env.KAFKA_BROKERS && env.DATABASE_URL) return servers;
  return { ...servers, CONFIG_PUBLIC_KEYS: env.CONFIG_PUBLIC_KEYS || configPublicKey(readSettings(env).paths.secrets) };
}

function fail(error: Error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

/** @returns undefined after `--help` */
function readArguments() {
  const known = {
    keep: { type: 'string' },
    'dry-run': { type: 'boolean' },
    help: { type: 'boolean' },
  } as const;
  const values = optionsOf(known, { usage: HELP });
  if (values.help) return undefined;
  const keep = KEEPS.find((name) => name === values.keep);
  if (keep === undefined) throw new UserError(`--keep must be topics or database\n\n${HELP}`);
  return { keep, isDryRun: values['dry-run'] ?? false };
}
