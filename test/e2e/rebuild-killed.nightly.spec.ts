import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { execPath } from 'node:process';
import pg from 'pg';
import { kafkaClient, keyedProducer } from '../../scripts/lib/kafka-client.js';
import { runSql } from '../../scripts/lib/postgres.mjs';
import type { BaseBackup } from '../support/base-backup.js';
import { Cluster } from '../support/cluster.js';
import { accountOf, Load } from '../support/load.js';
import { overtakenLanes } from '../support/rebuild-output.js';
import { always, type Hook, ok, Receiver } from '../support/receiver.js';
import { restoreDatabase, takeBackup } from '../support/restored-database.js';
import { runScript } from '../support/run-script.js';
import { until } from '../support/until.js';

const START_LIMIT_MS = 300_000;
const TEST_LIMIT_MS = 480_000;
const QUIET_LIMIT_MS = 180_000;
const TYPE = 'invoice.paid';
const LONE_TYPE = 'invoice.lone';
const LONE_EVENTS = 5;
/** Enough deliveries for several pages of a rebuild. */
const LOST_EVENTS = 900;
/** A schedule on which no delivery is dead within the test. */
const PATIENT = { delays_s: [1, ...Array.from({ length: 46 }, () => 3)] };

let cluster: Cluster;
let receiver: Receiver;
let producer: ReturnType<typeof keyedProducer>;
let failing: Hook;
let lone: Hook;
let load: Load;
let backup: BaseBackup;

beforeAll(async () => {
  cluster = await Cluster.start({ SECRET_KEYS: `test:${Buffer.alloc(32, 7).toString('base64')}` });
  receiver = await Receiver.start();
  producer = keyedProducer(kafkaClient({ clientId: 'restore', brokers: cluster.kafka.brokers }));
  await producer.connect();
  failing = receiver.hook(always(503));
  lone = receiver.hook(always(503));
  await newEndpoint(failing, TYPE);
  await newEndpoint(lone, LONE_TYPE);
  await beginTraffic();
  await restoreDatabase(cluster, backup, async () => {
    lone.script = ok;
  });
}, START_LIMIT_MS);

afterAll(async () => {
  load?.giveUp();
  await producer?.disconnect();
  await cluster?.stop();
  await receiver?.stop();
  expect(receiver?.forged).toEqual([]);
}, START_LIMIT_MS);

async function newEndpoint(hook: Hook, type: string): Promise<void> {
  const created = await cluster.call<{ secret: string }>('control', '/v1/endpoints', {
    body: { url: hook.url, event_types: [type], retry_policy: PATIENT, breaker: { threshold: 10_000 } },
  });
  hook.secret = created.secret;
}

const doors = {
  publish: (event: object) => cluster.call('ingest', '/v1/events', { body: event }),
  publishByKafka: (event: { resource_id?: string }) =>
    producer.send({
      topic: 'ingest',
      acks: -1,
      messages: [{ key: event.resource_id ?? null, value: JSON.stringify(event) }],
    }),
};

/** Heads that fail before and after the backup, and deliveries parked after the backup. */
async function beginTraffic(): Promise<void> {
  for (let number = 0; number < LONE_EVENTS; number++) {
    await doors.publish({ id: `lone-${number}`, type: LONE_TYPE, resource_id: `lone-${number}`, data: {} });
  }
  const failedEach = (times: number) => () =>
    Array.from({ length: LONE_EVENTS }, (_, number) => lone.hitsOf(`lone-${number}`).length).every((n) => n >= times);
  await until('every lone event failed', failedEach(1));
  load = new Load(doors, { resources: 24, everyMs: 400, typeOf: () => TYPE });
  await load.more(100);
  await until('heads are named', async () => (await loneHeads()) === LONE_EVENTS);
  backup = await takeBackup(cluster);
  await until('every lone event failed again', failedEach(4));
  await load.more(LOST_EVENTS);
}

async function loneHeads(): Promise<number> {
  const [row] = await runSql(
    cluster.postgres.url,
    `SELECT count(*)::int AS heads FROM lane_rows WHERE attempt IS NOT NULL AND lane LIKE '%:lone-%'`,
  );
  return Number(row?.heads);
}

const since = () => ['--since', new Date(backup.startedAt).toISOString()];
const rebuild = () => runScript('rebuild', cluster.env, since());

/** Kills a rebuild after some pages, and waits for the last marked row. @returns number of deliveries sent */
async function killHalfWay(): Promise<number> {
  const child = spawn(execPath, ['scripts/rebuild.ts', ...since()], { env: cluster.env });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const blocker = new pg.Client({ connectionString: cluster.postgres.url });
  await blocker.connect();
  try {
    await until('all deliveries are noted', () => /^ingest /m.test(output), QUIET_LIMIT_MS);
    await blocker.query('BEGIN');
    await blocker.query(`SELECT FROM rebuild_deliveries c WHERE body IS NOT NULL
      AND NOT EXISTS (SELECT FROM parked_deliveries p WHERE p.delivery_id = c.delivery_id)
      ORDER BY log DESC, place DESC LIMIT 1 FOR UPDATE`);
    const isWaiting = async () => {
      const waits = await runSql(
        cluster.postgres.url,
        `SELECT FROM pg_stat_activity WHERE application_name = 'posthorn-rebuild' AND wait_event_type = 'Lock'`,
      );
      return waits.length > 0 && (await sentSoFar()) > 0;
    };
    await until('the rebuild waits half-way', isWaiting, QUIET_LIMIT_MS).catch((error: Error) => {
      throw new Error(`${error.message}; it said:\n${output}`);
    });
    const ended = once(child, 'close');
    child.kill('SIGKILL');
    await ended;
    return await sentSoFar();
  } finally {
    await blocker.end();
  }
}

async function sentSoFar(): Promise<number> {
  const sql = 'SELECT count(*)::int AS sent FROM rebuild_deliveries WHERE sent_at IS NOT NULL';
  const [row] = await runSql(cluster.postgres.url, sql);
  return Number(row?.sent);
}

async function sentEvents(): Promise<Set<string>> {
  const rows = await runSql(cluster.postgres.url, 'SELECT event_id FROM rebuild_deliveries WHERE sent_at IS NOT NULL');
  return new Set(rows.map(({ event_id }) => String(event_id)));
}

/** @param id event id: resource and number */
function isOfLane(id: string, lane: string): boolean {
  return lane.endsWith(`:${id.slice(0, id.lastIndexOf('-'))}`);
}

describe('a restored database beside live traffic', () => {
  it('given heads that failed again after the backup, when dispatchers start on it, then the heads come without a rebuild', async () => {
    await until('every lone event arrives', () => lone.accepted.size === LONE_EVENTS).catch(() => undefined);

    expect([...lone.accepted].sort()).toEqual(Array.from({ length: LONE_EVENTS }, (_, number) => `lone-${number}`));
  }, 60_000);

  it(
    'given a rebuild that is killed, when it is run again, then no delivery is lost or sent twice, and a third run changes nothing',
    async () => {
      expect(await runScript('reconcile', cluster.env, ['--keep', 'topics'])).toMatchObject({ code: 0 });

      const sentBeforeKill = await killHalfWay();
      expect(sentBeforeKill).toBeGreaterThan(0);
      const listed: string[] = [];
      const isRun = async () => {
        const { code, output } = await rebuild();
        listed.push(...overtakenLanes(output));
        return code === 0;
      };
      await until('the lock of the killed one is free', isRun, QUIET_LIMIT_MS);
      const sentByBoth = await sentSoFar();
      expect(sentByBoth).toBeGreaterThan(sentBeforeKill);
      const third = await rebuild();
      expect(third).toMatchObject({ code: 0, output: expect.stringContaining(' 0 deliveries were sent again') });
      expect(third.output).toContain('0 lanes wait for a retry again');
      expect(await sentSoFar()).toBe(sentByBoth);

      await load.stop();
      failing.script = ok;
      const isThere = () => accountOf(failing, load.acknowledged).missing.length === 0;
      await until('all arrive', isThere, QUIET_LIMIT_MS).catch(() => undefined);
      expect(accountOf(failing, load.acknowledged).missing).toEqual([]);
      // Deliveries sent by the rebuild keep their order, and so do all others. Only the listed lanes may mix both.
      const sent = await sentEvents();
      for (const isSent of [true, false]) {
        const hits = failing.hits.filter(({ event }) => sent.has(event.id) === isSent);
        expect(accountOf({ hits, accepted: failing.accepted }, []).disorder).toEqual([]);
      }
      const { disorder } = accountOf(failing, []);
      expect(disorder.filter((id) => !listed.some((lane) => isOfLane(id, lane)))).toEqual([]);
      const twice = load.acknowledged.filter(
        ({ id }) => failing.hitsOf(id).filter(({ status }) => status === 200).length > 1,
      );
      expect(twice).toEqual([]);
    },
    TEST_LIMIT_MS,
  );
});
