import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Database } from '#common/postgres/database.js';
import { LaneLimits } from '#common/postgres/lane-limits.js';
import { FencedError, LaneStore, type LogEpoch } from '#common/postgres/lane-store.js';
import { migrate } from '#common/postgres/migrate.js';
import { freshDatabase, type TestDatabase } from '../support/servers.js';

const LOG = 'deliveries/3';
const ENDPOINT = 'ep_1';

let server: TestDatabase;
let database: Database;
let store: LaneStore;
let limits: LaneLimits;
let epoch: LogEpoch;

beforeAll(async () => {
  server = await freshDatabase();
  await migrate(server.url);
  database = new Database({ url: server.url, poolSize: 1, applicationName: 'test', readsByKey: true });
  store = new LaneStore(database);
  limits = new LaneLimits(database);
  epoch = await store.raiseEpoch(await store.epochOf(LOG));
});
beforeEach(() => database.query('TRUNCATE parked_deliveries'));
afterAll(async () => {
  await database.close();
  await server.drop();
});

/** Parks rows 1, 2, 3 …, one per second until now, round-robin over the lanes. */
async function park({ rows, lanes, bytes = 10 }: { rows: number; lanes: number; bytes?: number }): Promise<void> {
  await database.query(
    `INSERT INTO parked_deliveries (log, lane, place, endpoint_id, delivery_id, attempt, header, body, reason, parked_at)
     SELECT $1, 'lane-' || n % $4, n, $2, 'dlv_' || n, 0, 'header', convert_to(repeat('x', $5), 'UTF8'), 'paused',
       now() - make_interval(secs => $3 - n)
     FROM generate_series(1, $3::int) AS n`,
    [LOG, ENDPOINT, rows, lanes, bytes],
  );
}

describe('the epoch of a log', () => {
  it('given a later owner that raised the epoch, then a late raise of the earlier owner changes nothing', async () => {
    const log = 'deliveries/4';
    const seen = await store.epochOf(log);
    const { epoch: raised } = await store.raiseEpoch(seen);

    await expect(store.raiseEpoch(seen)).rejects.toThrow(FencedError);

    expect([seen.epoch, raised, (await store.epochOf(log)).epoch]).toEqual([0, 1, 1]);
    expect(await store.raiseEpoch({ log, epoch: raised })).toEqual({ log, epoch: 2 });
  });
});

describe('a page of parked rows', () => {
  it.each([
    { given: 'small rows', bytes: 100, rows: 8 },
    { given: 'rows of which three fit into a page', bytes: 300, rows: 3 },
    { given: 'rows of which none fits into a page', bytes: 5_000, rows: 1 },
  ])('given $given, then the page has the lowest $rows', async ({ bytes, rows }) => {
    await park({ rows: 40, lanes: 2, bytes });

    const pages = await store.readPages(epoch, ['lane-0', 'lane-1', 'lane-2'], { rows: 8, bodyBytes: 1_000 });

    const places = (lane: string) => pages.get(lane)?.map(({ place }) => place);
    const lowest = (from: number) => Array.from({ length: rows }, (_, index) => from + 2 * index);
    expect([places('lane-0'), places('lane-1'), places('lane-2')]).toEqual([lowest(2), lowest(1), []]);
  });
});

describe('parked rows beyond the limits', () => {
  it('given many more lanes and rows than the limits, then one query returns all of them, oldest first', async () => {
    await park({ rows: 3_000, lanes: 1_500 });

    const beyond = await limits.beyond(ENDPOINT, { maxAgeS: 100_000, maxCount: 1_000 });

    // Rows 1 to 2000 are too many: lanes 1 to 500 have two of them, the rest one.
    expect(beyond).toHaveLength(1_500);
    expect(beyond[0]).toEqual({ log: LOG, lane: 'lane-1', place: 1_501 });
    expect(new Set(beyond.map(({ place }) => place)).size).toBe(1_500);
    expect(Math.max(...beyond.map(({ place }) => place))).toBe(2_000);
  });

  it('given rows that are too old, then the query returns only these', async () => {
    await park({ rows: 20, lanes: 20 });

    const beyond = await limits.beyond(ENDPOINT, { maxAgeS: 14.5, maxCount: 1_000 });

    expect(beyond.map(({ place }) => place)).toEqual([1, 2, 3, 4, 5]);
  });

  it('given rows within the limits, then the query returns none', async () => {
    await park({ rows: 20, lanes: 3 });

    expect(await limits.beyond(ENDPOINT, { maxAgeS: 1_000, maxCount: 20 })).toEqual([]);
  });
});
