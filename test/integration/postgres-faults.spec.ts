import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ATTEMPTS_TOPIC, DLQ_TOPIC } from '#common/records/topics.js';
import { rejectedRecords } from '../../apps/control/src/projector/metrics.js';
import { runSql } from '../../scripts/lib/postgres.mjs';
import { ControlApp } from '../support/control-app.js';
import { attempt, deadLetter, deliveryOnce, newDelivery } from '../support/made-delivery.js';
import '../support/quiet.js';
import { freshDatabase, type TestDatabase } from '../support/servers.js';
import { until } from '../support/until.js';

const PASSWORD = 'right';
let server: TestDatabase;
/** Administrator's connections: to the fresh database, and to another one. */
let inside: (sql: string) => Promise<Record<string, unknown>[]>;
let outside: (sql: string) => Promise<Record<string, unknown>[]>;
let role: string;
let database: string;
let control: ControlApp;
let endpointId: string;

beforeAll(async () => {
  server = await freshDatabase();
  const admin = new URL(server.url);
  database = admin.pathname.slice(1);
  role = `r_${randomBytes(4).toString('hex')}`;
  inside = (sql) => runSql(admin.href, sql);
  outside = (sql) => runSql(Object.assign(new URL(admin), { pathname: '/postgres' }).href, sql);
  await inside(`CREATE ROLE ${role} LOGIN PASSWORD '${PASSWORD}'`);
  await inside(`ALTER DATABASE ${database} OWNER TO ${role}`);
  await inside(`ALTER SCHEMA public OWNER TO ${role}`);
  const url = Object.assign(new URL(admin), { username: role, password: PASSWORD });
  control = await ControlApp.start({ databaseUrl: url.href });
  const form = { url: 'http://127.0.0.1:9/', event_types: ['*'], tenant: 'acme' };
  endpointId = ((await control.post('/v1/endpoints', form)).body as { id: string }).id;
});
afterAll(async () => {
  await control.stop();
  await server.drop();
  await outside(`DROP ROLE ${role}`);
});

const disconnect = () => outside(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${role}'`);

/** Retries the rename: an app reconnects at once, and PostgreSQL does not rename a database in use. */
async function rename(from: string, to: string): Promise<void> {
  await outside(`ALTER DATABASE ${from} ALLOW_CONNECTIONS false`);
  await until('the database is renamed', async () => {
    await outside(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${from}'`);
    return outside(`ALTER DATABASE ${from} RENAME TO ${to}`).then(
      () => true,
      () => false,
    );
  });
  await outside(`ALTER DATABASE ${to} ALLOW_CONNECTIONS true`);
}

/** Drops partitions, so that rows of these days have none. */
async function partitions(change: 'DETACH' | 'ATTACH'): Promise<void> {
  const day = new Date().toISOString().slice(0, 10);
  const next = new Date(Date.parse(day) + 86_400_000).toISOString().slice(0, 10);
  for (const table of ['attempts', 'deliveries']) {
    const name = `${table}_${day.replaceAll('-', '')}`;
    const [ofDay, ofRest] = change === 'ATTACH' ? [` FOR VALUES FROM ('${day}') TO ('${next}')`, ' DEFAULT'] : ['', ''];
    await inside(`ALTER TABLE ${table} ${change} PARTITION ${name}${ofDay}`);
    await inside(`ALTER TABLE ${table} ${change} PARTITION ${table}_default${ofRest}`);
  }
}

const FAULTS = [
  {
    name: 'a password that was changed',
    begin: () => outside(`ALTER ROLE ${role} PASSWORD 'other'`).then(disconnect),
    end: () => outside(`ALTER ROLE ${role} PASSWORD '${PASSWORD}'`),
    shows: 'authentication: PostgreSQL rejects the user or the password (28P01',
    isApiAway: true,
  },
  {
    name: 'a database that was renamed',
    begin: () => rename(database, `${database}_away`),
    end: () => rename(`${database}_away`, database),
    shows: 'database_missing: the database does not exist',
    isApiAway: true,
  },
  {
    name: 'rights that were revoked',
    begin: () => inside(`REVOKE INSERT, UPDATE ON deliveries, attempts, dead_letters FROM ${role}`),
    end: () => inside(`GRANT INSERT, UPDATE ON deliveries, attempts, dead_letters TO ${role}`),
    shows: 'no_rights: the database user lacks a right (42501',
    isApiAway: false,
  },
  {
    name: 'a database that was made read-only',
    begin: () => outside(`ALTER DATABASE ${database} SET default_transaction_read_only = on`).then(disconnect),
    end: () => outside(`ALTER DATABASE ${database} RESET default_transaction_read_only`).then(disconnect),
    shows: 'read_only: the database is read-only (25006',
    isApiAway: false,
  },
  {
    name: 'a table that was renamed',
    begin: () => inside('ALTER TABLE dead_letters RENAME TO dead_letters_away'),
    end: () => inside('ALTER TABLE dead_letters_away RENAME TO dead_letters'),
    shows: 'schema_mismatch: a table, column, function or prepared statement is missing',
    isApiAway: false,
  },
  {
    name: 'partitions that are missing',
    begin: () => partitions('DETACH'),
    end: () => partitions('ATTACH'),
    shows: 'partition_missing: a table has no partition for the day of a row (23514',
    isApiAway: false,
  },
];

const rejected = async () => (await rejectedRecords.get()).values.reduce((sum, { value }) => sum + value, 0);
const RECORDS = 40;

describe('the projector, while PostgreSQL cannot do its part', () => {
  it.each(FAULTS)(
    'given $name, then readiness names the reason, no record is dropped, and the projector catches up',
    async (fault) => {
      const made = await Promise.all(Array.from({ length: RECORDS }, () => newDelivery(control, endpointId)));
      await fault.begin();
      for (const [index, one] of made.entries()) {
        if (index % 2) await control.write(deadLetter(one));
        else await control.write(attempt(one));
      }
      await until('readiness says so', async () => {
        const { status, body } = await control.get('/health/ready');
        return status === 503 && String(body.checks.postgres).startsWith(fault.shows);
      });
      if (fault.isApiAway) {
        const answer = await control.get(`/v1/deliveries?event_id=${made[0]?.eventId}`);
        expect(answer).toMatchObject({ status: 503, body: { code: 'DATABASE_UNAVAILABLE' } });
      }
      expect(await rejected()).toBe(0);

      await fault.end();

      for (const [index, { id }] of made.entries()) await deliveryOnce(control, id, index % 2 ? 'dead' : 'delivered');
      await until('it is ready again', async () => (await control.get('/health/ready')).status === 200);
      expect(await rejected()).toBe(0);
    },
  );

  it('given a row that always fails for an unknown reason, then only that row is set aside, and the others are stored', async () => {
    const made = await Promise.all(Array.from({ length: 10 }, () => newDelivery(control, endpointId)));
    const bad = made[3]?.id;
    await inside(
      `CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         IF NEW.id = '${bad}' THEN RAISE EXCEPTION 'boom'; END IF; RETURN NEW; END $$`,
    );
    await inside('CREATE TRIGGER boom BEFORE INSERT ON deliveries FOR EACH ROW EXECUTE FUNCTION boom()');
    await control.write(...made.map((one) => attempt(one)));
    for (const { id } of made) if (id !== bad) await deliveryOnce(control, id, 'delivered');
    await until('one record is rejected', async () => (await rejected()) === 1);
    expect((await rejectedRecords.get()).values).toMatchObject([
      { labels: { topic: ATTEMPTS_TOPIC }, value: 1 },
      { labels: { topic: DLQ_TOPIC }, value: 0 },
    ]);
    await inside('DROP TRIGGER boom ON deliveries');
  });
});
