import { runSql } from '../../../scripts/lib/postgres.mjs';
import type { Server } from '../../../scripts/lib/server.mjs';
import type { Trap } from '../harness/link.js';
import { type Fault, type Scene, setTraps } from './fault.js';
import { BEYOND_SESSION_MS } from './times.js';

const AWAY_MS = 4_000;
const SHORT_FREEZE_MS = 5_000;
const LOST_ANSWERS_MS = 10_000;
/** From one lost answer to the next. */
const LOST_EVERY_MS = 250;
const POSTGRES_AWAY_MS = 12_000;
const SLOW_MS = 1_000;
const LOCKED_MS = 8_000;

/** A broker, PostgreSQL, and their answers. */
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
        // Once on the way there and once on the way back: two seconds a statement.
        { kind: 'delay', ms: SLOW_MS },
        POSTGRES_AWAY_MS,
      ),
  },
  'postgres-lock': { inject: tableLocked },
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

/** The server does what it is asked to, and its answer is lost with the connection: executed, but not known to be. */
async function answersLost(scene: Scene, server: 'kafka' | 'postgres', kind: RegExp): Promise<void> {
  const { brokers, postgresLink } = scene.system;
  const trap: Trap = { moment: 'answered', kind, times: Number.POSITIVE_INFINITY, everyMs: LOST_EVERY_MS };
  await scene.during({ kind: 'lost_answer', target: `${server}: ${kind.source}` }, async () => {
    const traps = setTraps(server === 'kafka' ? brokers.links : [postgresLink], trap);
    await scene.last(LOST_ANSWERS_MS);
    // Where another fault had taken the server away, it has answered nothing yet.
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

/** Somebody holds the table of parked deliveries, as a migration or a person might. */
async function tableLocked(scene: Scene): Promise<void> {
  const seconds = LOCKED_MS / 1_000;
  const statement = `BEGIN; LOCK TABLE parked_deliveries IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(${seconds}); COMMIT`;
  await scene.during({ kind: 'freeze', target: 'postgres: parked_deliveries' }, async () => {
    await runSql(scene.system.postgresUrl, statement);
    return 1;
  });
}
