import { Database } from '#common/postgres/database.js';
import { LaneLimits } from '#common/postgres/lane-limits.js';
import { LaneStore, type LaneWrite, type LogEpoch } from '#common/postgres/lane-store.js';
import { migrate } from '#common/postgres/migrate.js';
import { createPartitions } from '#common/postgres/partitions.js';
import { insertAttempts } from '../../apps/control/src/projector/attempt-rows.js';
import { insertDeliveredAtOnce } from '../../apps/control/src/projector/delivered-at-once.js';
import { attemptRecord, type Made } from '../support/made-delivery.js';
import { freshDatabase, type TestDatabase } from '../support/servers.js';

/** Number of runs after which PostgreSQL may keep a generic plan. */
const RUNS_UNTIL_PLANNED = 8;
const ROWS = 20_000;
/** Most rows and index entries read for a few lanes; far below the total. */
const READ_AT_MOST = 200;

const LOG = 'deliveries/0';
const ENDPOINT = 'ep_1';
const AT = Date.now();
const MADE: Made = { id: 'dlv_1', eventId: 'evt', acceptedAt: AT, endpoint: ENDPOINT, type: 'a.b', lane: 'lane' };

describe('a statement that was planned when its tables were empty', () => {
  let server: TestDatabase;
  let database: Database;
  let store: LaneStore;
  let limits: LaneLimits;
  let epoch: LogEpoch;

  const statements: Record<string, () => Promise<unknown>> = {
    'parks, names a head and removes': () => store.write(epoch, [laneWrite('lane-a'), laneWrite('lane-b')]),
    'loads lanes': () => store.load(epoch, ['lane-a', 'lane-b']),
    'reads pages of parked rows': () => store.readPages(epoch, ['lane-a', 'lane-b'], { rows: 8, bodyBytes: 1_000 }),
    'looks for lanes that drain': () => store.drainable(LOG, ENDPOINT, 5, 10),
    'looks for endpoints with parked rows': () => limits.parkedEndpoints(LOG),
    'looks for a probe': () => limits.probeCandidate(LOG, ENDPOINT),
    'stores a delivery again': () => database.transaction((tx) => insertDeliveredAtOnce(tx, [attemptRecord(MADE)])),
    'stores an attempt again': () =>
      database.transaction((tx) => insertAttempts(tx, [attemptRecord({ ...MADE, id: 'dlv_2' }, { outcome: 'retry' })])),
  };

  beforeAll(async () => {
    server = await freshDatabase();
    await migrate(server.url);
    // One connection, since each connection has its own plans.
    database = new Database({ url: server.url, poolSize: 1, applicationName: 'test', readsByKey: true });
    await createPartitions(database, AT);
    store = new LaneStore(database);
    limits = new LaneLimits(database);
    epoch = await store.raiseEpoch(await store.epochOf(LOG));
    for (let run = 0; run < RUNS_UNTIL_PLANNED; run++) {
      for (const statement of Object.values(statements)) await statement();
    }
    await fill(database);
  });
  afterAll(async () => {
    await database.close();
    await server.drop();
  });

  it.each(Object.keys(statements))(
    'given many rows since, when it %s, then it reads only a few of them',
    async (name) => {
      const before = await rowsRead(database);
      await statements[name]?.();
      expect((await rowsRead(database)) - before).toBeLessThan(READ_AT_MOST);
    },
  );
});

/** Number of rows and index entries read so far. */
async function rowsRead(database: Database): Promise<number> {
  await database.query('SELECT pg_stat_force_next_flush()');
  const [row] = await database.query<{ read: number }>(
    `SELECT ((SELECT sum(seq_tup_read) FROM pg_stat_user_tables)
      + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes))::float8 AS read`,
  );
  return row?.read ?? Number.NaN;
}

async function fill(database: Database): Promise<void> {
  await database.query(
    `INSERT INTO lane_rows (log, lane, endpoint_id, place, delivery_id, updated_at)
     SELECT $1, 'other-' || n, $2, 1, 'dlv_' || n, now() FROM generate_series(1, $3::int) AS n`,
    [LOG, ENDPOINT, ROWS],
  );
  await database.query(
    `INSERT INTO parked_deliveries (log, lane, place, endpoint_id, delivery_id, attempt, header, body, reason, parked_at)
     SELECT $1, 'other-' || n, n + 10, $2, 'dlv_' || n, 0, 'header', 'body', 'paused', now()
     FROM generate_series(1, $3::int) AS n`,
    [LOG, ENDPOINT, ROWS],
  );
  const day = new Date(AT);
  await database.query(
    `INSERT INTO deliveries (id, accepted_at, tenant, event_id, event_type, endpoint_id, lane, status, replay, attempts, updated_at)
     SELECT 'other_' || n, $1::timestamptz, 't', 'evt', 'a.b', $2, 'lane', 'delivered', 0, 1, now()
     FROM generate_series(1, $3::int) AS n`,
    [day, ENDPOINT, ROWS],
  );
  await database.query(
    `INSERT INTO attempts (delivery_id, accepted_at, replay, attempt, at, duration_ms, outcome)
     SELECT 'other_' || n, $1::timestamptz, 0, 1, now(), 1, 'retry' FROM generate_series(1, $2::int) AS n`,
    [day, ROWS],
  );
}

function laneWrite(lane: string): LaneWrite {
  const parked = { lane, endpointId: ENDPOINT, deliveryId: `dlv_${lane}`, attempt: 0, header: 'header' };
  return {
    lane,
    endpointId: ENDPOINT,
    row: { place: 1, attempt: 1, deliveryId: `dlv_${lane}`, dueAt: AT },
    park: [{ ...parked, place: 2, extraHeaders: null, body: Buffer.from('body'), reason: 'head', parkedAt: AT }],
    removeUpTo: 3,
    remove: { place: 4, attempt: 0 },
  };
}
