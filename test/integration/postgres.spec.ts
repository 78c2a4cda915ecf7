import { randomBytes } from 'node:crypto';
import { deliveryIdOf } from '#common/domain/identifiers.js';
import { joinedColumn, timeOf, unnestColumns } from '#common/postgres/array-parameters.js';
import { createDataSource, MIGRATIONS } from '#common/postgres/data-source.js';
import { Database } from '#common/postgres/database.js';
import { isUnavailable } from '#common/postgres/errors.js';
import { migrate } from '#common/postgres/migrate.js';
import { createPartitions, DAYS_AHEAD, dropOldPartitions, forgetEventKeys } from '#common/postgres/partitions.js';
import { freshDatabase, type TestDatabase } from '../support/servers.js';

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 0, 31, 12);
const RETENTION_DAYS = 3;

/** The last migration with a separate row for a first attempt. */
const FIRST_ATTEMPT_MIGRATION = 4;

describe('PostgreSQL', () => {
  let url: string;
  let database: Database;
  let server: TestDatabase;

  beforeAll(async () => {
    server = await freshDatabase();
    url = server.url;
    await Promise.all([migrate(url), migrate(url), migrate(url)]);
    database = new Database({ url, poolSize: 4, applicationName: 'test' });
  });
  afterAll(async () => {
    await database.close();
    await server.drop();
  });

  const addEvent = (id: string, acceptedAt: number) =>
    database.query(
      `INSERT INTO events (tenant, id, type, occurred_at, accepted_at, endpoint_ids, data)
       VALUES ('t', $1, 'a.b', $2, $2, '{}', '{}')`,
      [id, new Date(acceptedAt)],
    );
  const partitionOf = async (id: string) =>
    (
      await database.query<{ name: string }>('SELECT tableoid::regclass::text AS name FROM events WHERE id = $1', [id])
    )[0]?.name;

  it('given three processes that migrate at once, then each migration ran once', async () => {
    const rows = await database.query<{ name: string }>('SELECT name FROM posthorn_migrations');
    expect(rows.map(({ name }) => name).sort()).toEqual(MIGRATIONS.map((Migration) => new Migration().name).sort());
  });

  it('given the previous release’s schema with rows, then the rows stay, and older statements still work', async () => {
    const other = await freshDatabase();
    const before = await createDataSource(other.url, MIGRATIONS.slice(0, FIRST_ATTEMPT_MIGRATION)).initialize();
    await before.runMigrations();
    await before.destroy();
    const old = new Database({ url: other.url, poolSize: 1, applicationName: 'test' });
    await createPartitions(old, NOW);
    const insert = (id: string, status: string) =>
      old.query(
        `INSERT INTO deliveries AS d (id, accepted_at, tenant, event_id, event_type, endpoint_id, lane, status, replay, attempts, updated_at)
         VALUES ($1, $2, 't', 'e', 'a.b', 'ep', 'l', $3, 0, 1, now())
         ON CONFLICT (id, accepted_at) DO UPDATE SET status = excluded.status`,
        [id, new Date(NOW), status],
      );
    await insert('dlv_1', 'retrying');

    await migrate(other.url);

    await insert('dlv_1', 'delivered');
    await insert('dlv_2', 'dead');
    await createPartitions(old, NOW + DAY_MS);
    await old.query(`UPDATE deliveries SET first_at = $1, first_duration_ms = 9 WHERE id = 'dlv_1'`, [new Date(NOW)]);
    const rows = await old.query('SELECT id, status FROM deliveries ORDER BY accepted_at, id');
    expect(rows).toEqual([
      { id: 'dlv_1', status: 'delivered' },
      { id: 'dlv_2', status: 'dead' },
    ]);
    const after = await createDataSource(other.url).initialize();
    for (let left = MIGRATIONS.length; left > FIRST_ATTEMPT_MIGRATION; left--) await after.undoLastMigration();
    await after.destroy();
    await insert('dlv_2', 'delivered');
    const attempts = await old.query('SELECT delivery_id, replay, attempt, at, duration_ms, outcome FROM attempts');
    const first = { replay: 0, attempt: 1, at: new Date(NOW), duration_ms: 9, outcome: 'delivered' };
    expect(attempts).toEqual([{ delivery_id: 'dlv_1', ...first }]);
    await old.close();
    await other.drop();
  });

  it('given any names, then SQL and code agree on delivery ids', async () => {
    const examples: [string, string, string][] = [
      ['default', 'evt_1', 'ep_1'],
      ['acme', 'an id with spaces ~', `ep_${randomBytes(16).toString('base64url')}`],
    ];
    for (const parts of examples) {
      const rows = await database.query<{ id: string }>('SELECT delivery_id($1, $2, $3) AS id', parts);
      expect(rows).toEqual([{ id: deliveryIdOf(...parts) }]);
    }
  });

  it('given any list of texts, then PostgreSQL returns it unchanged', async () => {
    const texts = ['', 'null', 'a,b', '{x}', 'say "hi"', 'C:\\', ' edge ', '\n', 'Zoë', null];
    const rows = await database.query<{ texts: string[] }>('SELECT $1::text[] AS texts', [texts]);
    expect(rows).toEqual([{ texts }]);
  });

  it('given lists of bytes, times and JSON, then PostgreSQL returns them unchanged', async () => {
    const [bytes, at] = [[Buffer.from([0, 92, 34, 255]), null], new Date(1_700_000_000_123)];
    const rows = await database.query(
      'SELECT $1::bytea[] AS bytes, $2::timestamptz[] AS times, ($3::jsonb[])[1] AS json',
      [bytes, [at], [JSON.stringify({ quote: '"', path: '\\' })]],
    );
    expect(rows).toEqual([{ bytes, times: [at], json: { quote: '"', path: '\\' } }]);
  });

  it('given joined columns, then PostgreSQL returns them unchanged, and times to the millisecond', async () => {
    const rows = [
      { text: `say "hi", C:\\ {Zoë}`, at: 1_700_000_000_123, size: 7 },
      { text: null, at: 4_102_444_799_999, size: null },
    ];
    const found = await database.query(
      `SELECT text, ${timeOf('at_ms')} AS at, size::int FROM ${unnestColumns(3)} AS i (text, at_ms, size)`,
      [
        joinedColumn(rows, ({ text }) => text),
        joinedColumn(rows, ({ at }) => at),
        joinedColumn(rows, ({ size }) => size),
      ],
    );
    expect(found).toEqual(rows.map((row) => ({ ...row, at: new Date(row.at) })));
    const [row] = await database.query<{ exact: number }>(
      `SELECT count(*) FILTER (WHERE ${timeOf('ms::text')} = timestamptz 'epoch' + ms * interval '1 ms') AS exact
       FROM generate_series(1700000000000, 1700000010000) AS ms`,
    );
    expect(row?.exact).toBe(10_001);
  });

  it('given a bigint, then it is returned as a number, and a time unchanged', async () => {
    const at = new Date(1_700_000_000_123);
    const rows = await database.query('SELECT $1::bigint AS big, $2::timestamptz AS at', [2 ** 53 - 1, at]);
    expect(rows).toEqual([{ big: 2 ** 53 - 1, at }]);
  });

  it('given a transaction that throws, then it is rolled back and the connection is usable', async () => {
    const failing = database.transaction(async (tx) => {
      await tx.query(`INSERT INTO event_keys VALUES ('t', 'gone', 0, 0, now())`);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await database.query(`SELECT 1 FROM event_keys WHERE event_id = 'gone'`)).toEqual([]);
  });

  it('given a connection that the server closes, then the error is transient, and the next query works', async () => {
    const ending = database.query('SELECT pg_terminate_backend(pg_backend_pid())');
    const error = await ending.catch((reason: unknown) => reason);
    expect(isUnavailable(error)).toBe(true);
    expect(database.problem).toBeDefined();
    await database.probe();
    expect(database.problem).toBeUndefined();
  });

  it('given a connection that is closed between two statements of a transaction, then the error is transient', async () => {
    const broken = database.transaction(async (tx) => {
      const [row] = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      await database.query('SELECT pg_terminate_backend($1, 5000)', [row?.pid]);
      // The close was sent before the answer above. After a few round trips on another connection, the client has read
      // it.
      for (let trip = 0; trip < 3; trip++) await database.query('SELECT 1');
      await tx.query('SELECT 1');
    });
    const error = await broken.catch((reason: unknown) => reason);
    expect(isUnavailable(error)).toBe(true);
    expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('given no server, then the error of connecting is transient', async () => {
    const nowhere = new Database({ url: 'postgres://x:x@127.0.0.1:1/x', poolSize: 1, applicationName: 'test' });
    const error = await nowhere.query('SELECT 1').catch((reason: unknown) => reason);
    expect(isUnavailable(error)).toBe(true);
    await nowhere.close();
  });

  it('given a statement that takes too long, then the server cancels it', async () => {
    const hasty = new Database({ url, poolSize: 1, applicationName: 'test', statementTimeoutMs: 50 });
    const error = await hasty.query('SELECT pg_sleep(20)').catch((reason: unknown) => reason);
    expect(isUnavailable(error)).toBe(true);
    await hasty.close();
  });

  it('given a session that the server closes, then its holder is notified', async () => {
    const session = await database.openSession();
    const [row] = await session.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const ended = new Promise((resolve) => session.ended.addEventListener('abort', resolve));
    await database.query('SELECT pg_terminate_backend($1)', [row?.pid]);
    await ended;
  });

  it('given a notification, then a listening session receives it', async () => {
    const session = await database.openSession();
    const heard = new Promise<void>((resolve) => session.onNotification(resolve));
    await session.query('LISTEN test_channel');
    await database.query('NOTIFY test_channel');
    await heard;
    await session.close();
  });

  it('given days without partitions, then they are created ahead, and rows that waited are moved', async () => {
    await addEvent('early', NOW + DAY_MS);
    expect(await partitionOf('early')).toBe('events_default');

    const created = await Promise.all([createPartitions(database, NOW), createPartitions(database, NOW)]);

    expect(
      created
        .flat()
        .filter((name) => name.startsWith('events_'))
        .sort()[0],
    ).toBe('events_20260131');
    expect(await partitionOf('early')).toBe('events_20260201');
    await addEvent('last', NOW + DAYS_AHEAD * DAY_MS);
    expect(await partitionOf('last')).toBe('events_20260214');
    expect(await createPartitions(database, NOW)).toEqual([]);
  });

  it('given days older than the retention, then they are dropped and younger ones are kept', async () => {
    await createPartitions(database, NOW);
    await addEvent('old', NOW);
    await addEvent('young', NOW + DAY_MS);
    await addEvent('ancient', NOW - 100 * DAY_MS);

    const dropped = await dropOldPartitions(database, NOW + 31 * DAY_MS, 30);

    expect(dropped).toEqual(['events_20260131', 'deliveries_20260131', 'attempts_20260131']);
    expect(await partitionOf('old')).toBeUndefined();
    expect(await partitionOf('ancient')).toBeUndefined();
    expect(await partitionOf('young')).toBe('events_20260201');
  });

  it('given the same traffic every day, then disk usage grows only during the first retention period', async () => {
    const other = await freshDatabase();
    await migrate(other.url);
    const days = new Database({ url: other.url, poolSize: 1, applicationName: 'test' });
    const sizes: number[] = [];
    for (let day = 0; day < 3 * RETENTION_DAYS; day++) {
      const now = NOW + day * DAY_MS;
      await createPartitions(days, now);
      await days.query(
        `INSERT INTO events (tenant, id, type, occurred_at, accepted_at, endpoint_ids, data)
         SELECT 't', 'e' || n, 'a.b', $1, $1, '{}', repeat('x', 500) FROM generate_series(1, 1000) n`,
        [new Date(now)],
      );
      await dropOldPartitions(days, now, RETENTION_DAYS);
      const [row] = await days.query<{ bytes: number }>(
        `SELECT sum(pg_total_relation_size(inhrelid))::bigint AS bytes FROM pg_inherits WHERE inhparent = 'events'::regclass`,
      );
      sizes.push(row?.bytes ?? 0);
    }
    await days.close();
    await other.drop();
    const full = sizes[RETENTION_DAYS + 1] ?? 0;
    expect(full).toBeGreaterThan(2 * (sizes[0] ?? Number.POSITIVE_INFINITY));
    expect(Math.max(...sizes)).toBeLessThan(full * 1.05);
  });

  it('given event ids beyond the window, then they are deleted, a limited number at a time', async () => {
    const add = (id: string, ageMs: number) =>
      database.query(`INSERT INTO event_keys VALUES ('keys', $1, 0, 0, $2)`, [id, new Date(NOW - ageMs)]);
    await add('a', 8 * DAY_MS);
    await add('b', 8 * DAY_MS);
    await add('c', 6 * DAY_MS);
    expect(await forgetEventKeys(database, NOW, 1)).toBe(1);
    expect(await forgetEventKeys(database, NOW)).toBe(1);
    expect(await database.query(`SELECT event_id FROM event_keys WHERE tenant = 'keys'`)).toEqual([{ event_id: 'c' }]);
  });
});
