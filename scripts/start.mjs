import { mkdirSync } from 'node:fs';
import { appService, CONTROL, echoService, WORKERS } from './lib/apps.mjs';
import { awaitKafka, kafkaService } from './lib/kafka.mjs';
import { limitLogFiles } from './lib/log-files.mjs';
import { appNode } from './lib/node-binary.mjs';
import { awaitDatabase, postgresService, postgresUrl } from './lib/postgres.mjs';
import { prepare } from './lib/prepare.mjs';
import { Progress } from './lib/progress.mjs';
import { runFile, welcome } from './lib/run-file.mjs';
import { RunRecord } from './lib/run-record.mjs';
import { keepSecrets, publicKeyOf } from './lib/secrets.mjs';
import { readSettings, UserError } from './lib/settings.mjs';
import { stopSignal } from './lib/stop-signal.mjs';
import { Supervisor } from './lib/supervisor.mjs';
import { takeOver } from './lib/take-over.mjs';
import { checkKafkaTools } from './lib/toolchain.mjs';

/*
 * `npm start`: brings a fresh clone to a running system. This file and its imports are plain JavaScript for Node 20
 * without dependencies, because they run before the installation. Modules with dependencies are imported afterwards.
 */

/** Apps stop first: they finish and commit while the servers still run. */
const SERVERS = 1;
const RECEIVERS = 2;
const APP_STAGE = 3;

const progress = new Progress(process.stdout);
const stop = stopSignal();

/**
 * Starts Kafka and PostgreSQL, unless the settings name existing servers.
 *
 * @param {import('./lib/settings.mjs').Settings} settings
 * @param {{ supervisor: Supervisor, password: string }} options
 */
async function startServers({ paths, ports, kafkaBrokers, databaseUrl }, { supervisor, password }) {
  const { signal } = stop;
  if (kafkaBrokers) await progress.step('Find Kafka', () => awaitKafka(kafkaBrokers, signal, process.env));
  if (databaseUrl) await progress.step('Find PostgreSQL', () => awaitDatabase(databaseUrl, signal));
  const kafka = kafkaService({ dir: paths.kafka, port: ports.KAFKA_PORT, controllerPort: ports.KAFKA_CONTROLLER_PORT });
  const where = { port: ports.POSTGRES_PORT, password };
  const postgres = postgresService({ dir: paths.postgres, ...where });
  const own = [...(kafkaBrokers ? [] : [kafka]), ...(databaseUrl ? [] : [postgres])];
  if (own.length > 0) await progress.step('Start Kafka and PostgreSQL', () => supervisor.start(SERVERS, own));
  return {
    kafkaBrokers: kafkaBrokers ?? [`127.0.0.1:${ports.KAFKA_PORT}`],
    databaseUrl: databaseUrl ?? postgresUrl(where),
  };
}

/**
 * @param {import('./lib/settings.mjs').Settings} settings
 * @param {{ supervisor: Supervisor, env: NodeJS.ProcessEnv, signingKey: string }} options
 */
async function startApps({ ports }, { supervisor, env, signingKey }) {
  const node = appNode();
  const echo = echoService({ node, port: ports.ECHO_PORT, onOutput: (text) => progress.say(text.trimEnd()) });
  // Only control gets this key: its holder decides over all rights.
  const own = { CONFIG_SIGNING_KEY: signingKey };
  const serviceOf = (/** @type {import('./lib/apps.mjs').App} */ app) =>
    appService(app, { node, port: ports[app.portName], env: app === CONTROL ? { ...env, ...own } : env });
  await progress.step('Start control (migrates the database)', () => supervisor.start(APP_STAGE, [serviceOf(CONTROL)]));
  await progress.step('Start the other apps', () => supervisor.start(APP_STAGE, WORKERS.map(serviceOf)));
  await supervisor.start(RECEIVERS, [echo]);
}

/**
 * @param {Awaited<ReturnType<typeof startServers>>} servers
 * @param {import('./lib/secrets.mjs').Secrets} secrets
 * @returns {NodeJS.ProcessEnv} environment of the apps
 */
function appEnvironment({ kafkaBrokers, databaseUrl }, { secretKeys, adminApiKey, configSigningKey }) {
  return {
    // In development, the receivers are on this machine.
    ALLOW_HTTP: 'true',
    ALLOWED_ADDRESSES: '127.0.0.0/8,::1/128',
    CONFIG_PUBLIC_KEYS: publicKeyOf(configSigningKey),
    ...process.env,
    HOST: '127.0.0.1',
    KAFKA_BROKERS: kafkaBrokers.join(','),
    DATABASE_URL: databaseUrl,
    SECRET_KEYS: secretKeys,
    ADMIN_API_KEY: adminApiKey,
    CONFIG_SIGNING_KEY: undefined,
  };
}

/**
 * @param {import('./lib/settings.mjs').Settings} settings
 * @param {RunRecord} record
 * @param {Supervisor} supervisor
 */
async function run(settings, record, supervisor) {
  const secrets = keepSecrets(settings.paths.secrets, process.env);
  await prepare(progress, { signal: stop.signal, needsKafka: !settings.kafkaBrokers });
  const servers = await startServers(settings, { supervisor, password: secrets.postgresPassword });
  await startApps(settings, {
    supervisor,
    env: appEnvironment(servers, secrets),
    signingKey: secrets.configSigningKey,
  });
  const addresses = runFile({ settings, apiKey: secrets.adminApiKey, ...servers });
  record.publish(addresses);
  progress.say(welcome(addresses, settings.paths.logs));
  await stop.requested;
}

async function main() {
  const settings = readSettings(process.env);
  if (!settings.kafkaBrokers) checkKafkaTools(process.env);
  mkdirSync(settings.paths.logs, { recursive: true });
  const record = new RunRecord(settings);
  await takeOver(settings, record.processes, progress);
  record.update({});
  limitLogFiles(settings.paths.logs);
  const supervisor = new Supervisor({
    logs: settings.paths.logs,
    say: (text) => progress.say(text),
    onPids: (pids, stopping) => record.update(pids, stopping),
  });
  stop.onSecond(() => supervisor.kill());
  try {
    await run(settings, record, supervisor);
  } finally {
    if (supervisor.hasServices) await progress.step('Stop everything', () => supervisor.stop());
    record.remove();
  }
}

try {
  await main();
  process.exit(0);
} catch (error) {
  if (stop.signal.aborted) process.exit(0);
  const text = error instanceof UserError ? error.message : error instanceof Error ? error.message : String(error);
  progress.say(`\n${text}`);
  process.exit(1);
}
