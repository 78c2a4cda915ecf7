import { runSql } from '../../../scripts/lib/postgres.mjs';
import type { Server } from '../../../scripts/lib/server.mjs';
import type { Trap } from '../harness/link.js';
import { type Fault, type Scene, setTraps } from './fault.js';
import { BEYOND_SESSION_MS } from './times.js';

const AWAY_MS = 4_000;
const SHORT_FREEZE_MS = 5_000;
const LOST_ANSWERS_MS = 10_000;
/** Interval between two lost answers. */
const LOST_EVERY_MS = 250;
const POSTGRES_AWAY_MS = 12_000;
const SLOW_MS = 1_000;
const LOCKED_MS = 8_000;
/** Longer than any retry delay of a statement, so that every app meets the fault. */
const WRONG_MS = 8_000;
const LOOK_EVERY_MS = 250;
const HEALTH_TIMEOUT_MS = 2_000;

/** Faults of a broker, of PostgreSQL, and of their answers. */
export const SERVER_FAULTS = {
  'broker-stop': { inject: (scene) => brokerAway(scene, 'terminate') },
  'broker-kill': { inject: (scene) => brokerAway(scene, 'kill') },
  'broker-freeze': { inject: (scene) => brokerFrozen(scene, SHORT_FREEZE_MS) },
  'broker-freeze-long': { inject: (scene) => brokerFrozen(scene, BEYOND_SESSION_MS) },
  'produce-answers': { inject: (scene) => answersLost(scene, 'kafka', /^Produce$/) },
  'commit-answers': { inject: (scene) => answersLost(scene, 'kafka', /^OffsetCommit$/) },
  'postgres-answers': {
    inject: (scene) => answersLost(scene, 'postgres', /^(COMMIT|lane_write)$/),
  },
  'postgres-stop': { inject: postgresAway },
  'postgres-freeze': {
    inject: (scene) =>
      scene.impose(
        { kind: 'freeze', target: 'postgres' },
        [scene.system.postgresLink],
        { kind: 'freeze' },
        POSTGRES_AWAY_MS,
      ),
  },
  'postgres-slow': {
    inject: (scene) =>
      scene.impose(
        { kind: 'slow_link', target: 'apps→postgres' },
        [scene.system.postgresLink],
        // The delay applies to request and answer: two seconds per statement.
        { kind: 'delay', ms: SLOW_MS },
        POSTGRES_AWAY_MS,
      ),
  },
  'postgres-lock': { inject: tableLocked },
  'postgres-password': { inject: passwordChanged },
  'database-renamed': { inject: databaseRenamed },
} satisfies Record<string, Fault>;

function aBroker({ system, random }: Scene): Server {
  return random.among(system.brokers.servers);
}

async function brokerAway(scene: Scene, kind: 'kill' | 'terminate'): Promise<void> {
  const broker = aBroker(scene);
  const { supervised } = scene.system;
  await scene.during({ kind, target: broker.name }, async () => {
    supervised.noteName(broker.name, 'kafka', kind === 'kill' ? 'killed' : 'stopping');
    await (kind === 'kill' ? broker.kill() : broker.stop());
    if (kind === 'terminate') supervised.noteName(broker.name, 'kafka', 'stopped');
    await scene.last(AWAY_MS);
    supervised.noteName(broker.name, 'kafka', 'started');
    await broker.start();
    supervised.noteName(broker.name, 'kafka', 'ready');
    return 1;
  });
}

async function brokerFrozen(scene: Scene, ms: number): Promise<void> {
  const broker = aBroker(scene);
  const { supervised } = scene.system;
  await scene.during({ kind: 'freeze', target: broker.name }, async () => {
    supervised.noteName(broker.name, 'kafka', 'frozen');
    broker.child?.signalGroup('SIGSTOP');
    await scene.last(ms);
    broker.child?.signalGroup('SIGCONT');
    supervised.noteName(broker.name, 'kafka', 'continued');
    return 1;
  });
}

/** The server executes a request, and its answer is lost with the connection. */
async function answersLost(scene: Scene, server: 'kafka' | 'postgres', kind: RegExp): Promise<void> {
  const { brokers, postgresLink } = scene.system;
  const trap: Trap = { moment: 'answered', kind, times: Number.POSITIVE_INFINITY, everyMs: LOST_EVERY_MS };
  await scene.during({ kind: 'lost_answer', target: `${server}: ${kind.source}` }, async () => {
    const traps = setTraps(server === 'kafka' ? brokers.links : [postgresLink], trap);
    await scene.last(LOST_ANSWERS_MS);
    // After another fault of the server, wait for its first answer.
    await scene.onceSome(traps.fired);
    return traps.disarm();
  });
}

async function postgresAway(scene: Scene): Promise<void> {
  const { postgres, supervised } = scene.system;
  await scene.during({ kind: 'kill', target: 'postgres' }, async () => {
    supervised.noteName('postgres', 'postgres', 'killed');
    await postgres.kill();
    await scene.last(POSTGRES_AWAY_MS);
    supervised.noteName('postgres', 'postgres', 'started');
    await postgres.start();
    supervised.noteName('postgres', 'postgres', 'ready');
    return 1;
  });
}

/** A session locks the table of parked deliveries, as a migration might. */
async function tableLocked(scene: Scene): Promise<void> {
  const seconds = LOCKED_MS / 1_000;
  const statement = `BEGIN; LOCK TABLE parked_deliveries IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(${seconds}); COMMIT`;
  await scene.during({ kind: 'freeze', target: 'postgres: parked_deliveries' }, async () => {
    await runSql(scene.system.postgresUrl, statement);
    return 1;
  });
}

/** PostgreSQL's password changes before that of the apps, as in a rotation. */
async function passwordChanged(scene: Scene): Promise<void> {
  const url = new URL(scene.system.postgresUrl);
  const { username, password } = url;
  const changed = new URL(url);
  changed.password = 'changed';
  await scene.during({ kind: 'freeze', target: 'postgres: password' }, async () => {
    await runSql(url.href, `ALTER ROLE ${username} PASSWORD '${changed.password}'; ${endConnections(username)}`);
    try {
      return await appsThatShow(scene, 'authentication');
    } finally {
      await runSql(changed.href, `ALTER ROLE ${username} PASSWORD '${password}'`);
    }
  });
}

/** The database is renamed for some time, as in a restore that swaps two databases. */
async function databaseRenamed(scene: Scene): Promise<void> {
  const url = new URL(scene.system.postgresUrl);
  const [name, username] = [url.pathname.slice(1), url.username];
  const maintenance = Object.assign(new URL(url), { pathname: '/postgres' }).href;
  // Apps reconnect at once, and PostgreSQL does not rename a database in use.
  const rename = async (from: string, to: string) => {
    await runSql(maintenance, `ALTER DATABASE ${from} ALLOW_CONNECTIONS false`);
    const tried = () =>
      runSql(maintenance, endConnections(username))
        .then(() => runSql(maintenance, `ALTER DATABASE ${from} RENAME TO ${to}`))
        .then(
          () => 1,
          () => 0,
        );
    if ((await scene.onceSome(tried)) === 0) throw new Error(`${from} could not be renamed`);
    await runSql(maintenance, `ALTER DATABASE ${to} ALLOW_CONNECTIONS true`);
  };
  await scene.during({ kind: 'freeze', target: 'postgres: database' }, async () => {
    await rename(name, `${name}_away`);
    try {
      return await appsThatShow(scene, 'database_missing');
    } finally {
      await rename(`${name}_away`, name);
    }
  });
}

function endConnections(username: string): string {
  return `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE usename = '${username}' AND pid <> pg_backend_pid() AND backend_type = 'client backend'`;
}

/**
 * Waits for the duration of the fault.
 *
 * @returns number of apps whose readiness shows the reason; 0 unless all apps that need PostgreSQL do
 */
async function appsThatShow(scene: Scene, reason: string): Promise<number> {
  const users = scene.system.apps.all().filter(({ app }) => app !== 'retry-scheduler');
  const shown = new Set<string>();
  for (const end = Date.now() + WRONG_MS; Date.now() < end; await scene.last(LOOK_EVERY_MS)) {
    for (const { name, url } of users) if ((await postgresNote(url)).startsWith(reason)) shown.add(name);
  }
  return shown.size === users.length ? shown.size : 0;
}

async function postgresNote(url: string): Promise<string> {
  try {
    const response = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS) });
    const { checks } = (await response.json()) as { checks: Record<string, string> };
    return checks.postgres ?? '';
  } catch {
    return '';
  }
}
