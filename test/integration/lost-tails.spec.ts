import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { carriedPosition, positionOf } from '#common/domain/position.js';
import type { ReadExtent } from '#common/domain/start-offset.js';
import { GenerationMarkers } from '#common/generations/generation-markers.js';
import { LogPositions } from '#common/generations/log-positions.js';
import { Database } from '#common/postgres/database.js';
import { insertGeneration } from '#common/postgres/generation-store.js';
import { LaneStore } from '#common/postgres/lane-store.js';
import { migrate } from '#common/postgres/migrate.js';
import { freshDatabase, type TestDatabase } from '../support/servers.js';
import '../support/quiet.js';

const LOG = { topic: 'deliveries', partition: 3 };
const NAME = 'deliveries/3';

let server: TestDatabase;
let database: Database;

beforeAll(async () => {
  server = await freshDatabase();
  await migrate(server.url);
  database = new Database({ url: server.url, poolSize: 2, applicationName: 'test', readsByKey: true });
});
beforeEach(async () => {
  await database.query('TRUNCATE lane_rows, parked_deliveries, lane_logs, lost_tails, log_generations, outbox');
  await database.transaction((tx) =>
    insertGeneration(tx, { v: 1, topic: LOG.topic, topic_id: 'id', partitions: 4, generation: 0 }, true),
  );
});
afterAll(async () => {
  await database.close();
  await server.drop();
});

const extent = (sameUpTo: number, over: Partial<ReadExtent> = {}): ReadExtent => ({
  sameUpTo,
  isTailLost: false,
  leaderEpoch: 4,
  ...over,
});
const lost = (sameUpTo: number, leaderEpoch = 4) => extent(sameUpTo, { isTailLost: true, leaderEpoch });

/** @param now the broker's answer to a later request */
function taken(found: ReadExtent, now = found, partition = LOG.partition) {
  return { ...LOG, partition, extent: found, askExtent: async () => now };
}

/** A new instance, as in a process that has just started. */
const started = (markers = new GenerationMarkers()) => new LogPositions(database, markers);
const positionsOf = async (offsets: readonly number[], log = taken(extent(100)), by = started()) => {
  const positions = await by.of(log, 0);
  return offsets.map((offset) => positions.of(offset));
};

async function nameHead(place: number): Promise<void> {
  const store = new LaneStore(database);
  const owner = await store.raiseEpoch(await store.epochOf(NAME));
  const row = { place, attempt: 1, deliveryId: 'dlv', dueAt: undefined };
  await store.write(owner, [{ lane: `ep_1:${place}`, endpointId: 'ep_1', row }]);
}

async function latestMarker(): Promise<Buffer> {
  const [row] = await database.query<{ value: Buffer }>('SELECT value FROM outbox ORDER BY seq DESC LIMIT 1');
  if (row === undefined) throw new Error('no marker was enqueued');
  return row.value;
}

describe('positions of a log', () => {
  it('given a log with all records that were read, then positions have its generation', async () => {
    await nameHead(99);
    expect(await positionsOf([0, 99, 100])).toEqual([0, 99, 100]);
  });

  it('given a commit beyond the end, then records behind the end have the next generation, also for later owners', async () => {
    expect(await positionsOf([79, 80], taken(lost(80)))).toEqual([79, positionOf(1, 80)]);
    expect(await positionsOf([79, 80, 90], taken(extent(95)))).toEqual([79, positionOf(1, 80), positionOf(1, 90)]);
    expect(await positionsOf([80], taken(extent(95), extent(95), 2))).toEqual([80]);
  });

  it('given an owner that was killed before its first commit, then its successor begins no further generation', async () => {
    await positionsOf([80], taken(lost(80)));
    expect(await positionsOf([80], taken(lost(80)))).toEqual([positionOf(1, 80)]);
  });

  it('given a second loss, also at the same offset, then the generation increases again', async () => {
    await positionsOf([80], taken(lost(80)));
    expect(await positionsOf([80], taken(lost(80, 5)))).toEqual([positionOf(2, 80)]);
    expect(await positionsOf([69, 70, 80], taken(lost(70, 6)))).toEqual([69, positionOf(3, 70), positionOf(3, 80)]);
    expect(await positionsOf([60], taken(lost(60), extent(60), 1))).toEqual([positionOf(4, 60)]);
  });

  it('given a row of a record that the log does not have, and a commit below it, then the tail is lost', async () => {
    await nameHead(85);
    expect(await positionsOf([79, 80], taken(extent(80)))).toEqual([79, positionOf(1, 80)]);
    expect(await positionsOf([80], taken(extent(80)))).toEqual([positionOf(1, 80)]);
  });

  it('given a row that a former owner stored after the query of the end, then no tail is lost', async () => {
    await nameHead(85);
    expect(await positionsOf([85], taken(extent(80), extent(86)))).toEqual([85]);
  });

  it('given a row that was carried over, then it does not count as a record', async () => {
    await nameHead(carriedPosition(0, 7));
    expect(await positionsOf([85], taken(extent(80)))).toEqual([85]);
  });

  it('given owners of several partitions at once, then each tail has a generation of its own', async () => {
    const found = await Promise.all([0, 1, 2].map((each) => positionsOf([80], taken(lost(80), lost(80), each))));
    expect(found.flat().sort((a, b) => a - b)).toEqual([1, 2, 3].map((generation) => positionOf(generation, 80)));
  });

  it('given a restored database, then the marker restores the lost tails', async () => {
    await positionsOf([80], taken(lost(80)));
    await positionsOf([90], taken(lost(90, 5)));
    const markers = new GenerationMarkers();
    markers.apply('posthorn:generation:deliveries', await latestMarker());
    await database.query('TRUNCATE lost_tails');

    const found = await positionsOf([79, 80, 90], taken(extent(95)), started(markers));
    expect(found).toEqual([79, positionOf(1, 80), positionOf(2, 90)]);
    expect(await positionsOf([80, 90], taken(extent(95)))).toEqual(found.slice(1));
  });
});
