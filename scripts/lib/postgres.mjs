import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, chown, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { postgresBinaries } from './postgres-binaries.mjs';
import { asUser, postgresUser } from './postgres-user.mjs';
import { Server } from './server.mjs';
import { until } from './until.mjs';

const READY_TIMEOUT_MS = 60_000;
const GRACE_MS = 4_000;
const USER = 'posthorn';

/**
 * @typedef {object} PostgresOptions
 * @property {string} dir folder of data and log
 * @property {number} port
 * @property {string} [password] password of a new cluster
 * @property {string} [database] created when missing
 * @property {boolean} [isDurable] false turns fsync off, for tests: data survive a crash of the process, not of the
 * machine
 * @property {string[]} [settings] further settings, `name=value`
 */

/**
 * @param {{ port: number, password?: string, database?: string }} options
 * @returns {string} connection string
 */
export function postgresUrl({ port, password = USER, database = USER }) {
  return `postgres://${USER}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;
}

/**
 * A PostgreSQL server on the loopback address, from the binaries that npm installs.
 *
 * @param {PostgresOptions} options
 * @returns {import('./server.mjs').Service}
 */
export function postgresService(options) {
  const { dir, port, password = USER, database = USER, isDurable = true, settings: further = [] } = options;
  const home = resolve(dir);
  const data = join(home, 'data');
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=200', ...further];
  if (!isDurable) settings.push('fsync=off');
  return {
    name: 'postgres',
    prepare: async () => {
      await createCluster(home, data, password);
      await removeStaleLock(data);
      const { postgres } = await postgresBinaries();
      const args = ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])];
      return { ...asUser(postgresUser(home), { command: postgres, args }), cwd: home };
    },
    ready: (signal) => awaitOwn({ port, password, database }, signal),
    // SIGINT is a fast shutdown, which cancels statements. SIGTERM would wait for every client to disconnect.
    stopSignal: 'SIGINT',
    graceMs: GRACE_MS,
  };
}

/**
 * Starts a server and waits until it answers.
 *
 * @param {PostgresOptions} options
 * @returns {Promise<Server & { url: string }>} with `stop`, `kill`, `start` and `restart`
 */
export async function startPostgres(options) {
  const server = new Server(postgresService(options), join(options.dir, 'postgres.log'));
  await server.start();
  return Object.assign(server, { url: postgresUrl(options) });
}

/**
 * Runs one statement on a new connection.
 *
 * @param {string} url
 * @param {string} statement
 * @returns {Promise<Record<string, unknown>[]>}
 */
export async function runSql(url, statement) {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  // The connection may break between two statements. A running statement reports the error itself.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

/**
 * Waits until a database answers.
 *
 * @param {string} url
 * @param {AbortSignal} [signal]
 */
export async function awaitDatabase(url, signal) {
  const { host } = new URL(url);
  const isServing = async () => (await runSql(url, 'select 1')).length === 1;
  await until(`PostgreSQL at ${host} answers`, isServing, { timeoutMs: READY_TIMEOUT_MS, signal });
}

/**
 * @param {{ port: number, password: string, database: string }} where
 * @param {AbortSignal} signal
 */
async function awaitOwn(where, signal) {
  const url = postgresUrl({ ...where, database: 'postgres' });
  await awaitDatabase(url, signal);
  const existing = await runSql(url, `select from pg_database where datname = '${where.database}'`);
  if (existing.length === 0) await runSql(url, `create database "${where.database}"`);
}

/**
 * Creates the cluster, unless it exists. A temporary folder is renamed at the end, so that an incomplete cluster is
 * never used.
 *
 * @param {string} home
 * @param {string} data
 * @param {string} password
 */
async function createCluster(home, data, password) {
  if (existsSync(join(data, 'PG_VERSION'))) return;
  const incoming = join(home, 'incoming');
  const passwordFile = join(home, 'password');
  const user = postgresUser(home);
  await mkdir(home, { recursive: true });
  await rm(incoming, { recursive: true, force: true });
  await mkdir(incoming, { mode: 0o700 });
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (user) {
    await chmod(home, 0o755);
    for (const path of [incoming, passwordFile]) await chown(path, user.uid, user.gid);
  }
  try {
    const { initdb } = await postgresBinaries();
    const launch = asUser(user, { command: initdb, args: [...INITDB, '-D', incoming, `--pwfile=${passwordFile}`] });
    const { command, args, ...options } = launch;
    const run = spawnSync(command, args, { ...options, cwd: home, encoding: 'utf8' });
    if (run.status !== 0) {
      throw new Error(`PostgreSQL's cluster could not be created: ${run.error?.message ?? run.stdout + run.stderr}`);
    }
    await rename(incoming, data);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** The builtin locale sorts in the same order on every machine. */
const INITDB = [
  `--username=${USER}`,
  '--auth=scram-sha-256',
  '--encoding=UTF8',
  '--locale=C',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
  '--no-sync',
  '--no-instructions',
];

/**
 * Removes the lock file of a killed server. PostgreSQL ignores the file when no process has its pid. When another
 * process has the pid now, PostgreSQL would refuse to start.
 *
 * @param {string} data
 */
async function removeStaleLock(data) {
  const file = join(data, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  if (commandLine(pid).includes(data)) throw new Error(`a PostgreSQL server still uses ${data} (process ${pid})`);
  await rm(file);
}

/**
 * @param {number} pid
 * @returns {string} command line; empty when the process does not exist
 */
function commandLine(pid) {
  const { stdout } = spawnSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout ?? '';
}
