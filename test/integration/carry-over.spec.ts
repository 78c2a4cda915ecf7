import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { deliveryIdOf } from '#common/domain/identifiers.js';
import { carriedPosition } from '#common/domain/position.js';
import type { KafkaClient } from '#common/kafka/port/kafka-client.js';
import { partitionOf } from '#common/kafka/port/partitioner.js';
import { type CarryState, type CarryWork, carryWork, lockCarry, storeCarry } from '#common/postgres/carry-store.js';
import { Database } from '#common/postgres/database.js';
import { migrate } from '#common/postgres/migrate.js';
import type { OutRecord } from '#common/records/record.js';
import { CarryOver } from '../../apps/dispatcher/src/generations/carry-over.js';
import { carryPage } from '../../apps/dispatcher/src/generations/carry-page.js';
import { freshDatabase, type TestDatabase } from '../support/servers.js';
import { until } from '../support/until.js';

const NOW = Date.now();
const ENDPOINT = 'ep_1';
const EVENTS = 2_500;

let server: TestDatabase;
let database: Database;
const written: OutRecord[] = [];
const writer = {
  write: async (records: readonly OutRecord[]) => {
    written.push(...records);
  },
};

beforeAll(async () => {
  server = await freshDatabase();
  await migrate(server.url);
  database = new Database({ url: server.url, poolSize: 2, applicationName: 'test', readsByKey: true });
  await database.query(
    `INSERT INTO endpoints (id, tenant, url, event_types, ordering, retry_policy, payload, header_names, timeout_ms,
       max_in_flight, status) VALUES ($1, 't', 'http://x/', '{*}', 'resource', '{}', 'full', '{}', 1000, 1, 'active')`,
    [ENDPOINT],
  );
});
beforeEach(async () => {
  written.length = 0;
  await database.query('TRUNCATE events, deliveries, lane_rows, parked_deliveries, lane_commands, log_generations');
  await database.query(
    `INSERT INTO log_generations (topic, generation, topic_id, partitions) VALUES ('deliveries', 1, 'id', 2)`,
  );
});
afterAll(async () => {
  await database.close();
  await server.drop();
});

/** A new, empty Kafka. */
const KAFKA = {
  settings: { topics: [{ topic: 'deliveries', partitions: 2 }] },
  withLogBounds: <T>(work: (bounds: unknown) => Promise<T>) =>
    work({ of: async () => [], oldestRecordAt: async () => undefined }),
} as unknown as KafkaClient;

const BEGIN: CarryState = {
  stage: 'rehome',
  topics: ['deliveries'],
  since: { deliveries: NOW },
  untilMs: NOW + 1,
  archivedBeforeMs: NOW + 60_000,
  partitions: 2,
  olderThanMs: NOW - 86_400_000,
  lane: { log: '', lane: '' },
  event: [NOW - 86_400_000, -2, -2, '', ''],
  ordinal: 0,
  counts: { moved: 0, heads: 0, parked: 0, waiting: 0, lost: 0 },
};

/** Carries over page by page, as a dispatcher. @param isKilled whether a kill precedes the commit of this page */
async function carry(isKilled: (page: number) => boolean = () => false): Promise<void> {
  for (let page = 0; ; page++) {
    const [work] = await carryWork(database, ['deliveries']);
    if (work === undefined) return;
    await onePage(work, isKilled(page)).catch((error: Error) => {
      if (error.message !== 'killed') throw error;
    });
  }
}

function onePage(work: CarryWork, isKilled: boolean): Promise<void> {
  return database.transaction(async (tx) => {
    const locked = await lockCarry(tx, work);
    if (locked === undefined) throw new Error('another process holds the lock');
    await storeCarry(tx, work, await carryPage(tx, writer, work, locked.state ?? BEGIN));
    if (isKilled) throw new Error('killed');
  });
}

/** Events of ten resources, one per millisecond. */
const storeEvents = (archivedAt: Date | null = null) =>
  database.query(
    `INSERT INTO events (tenant, id, type, resource_id, occurred_at, accepted_at, source_partition, source_offset,
       endpoint_ids, data, archived_at)
     SELECT 't', 'evt-' || n, 'a.b', 'r-' || n % 10, now(), to_timestamp(($1::float8 + n) / 1000), 0, n, ARRAY[$2], '{}', $3
     FROM generate_series(0, $4::int - 1) AS n`,
    [NOW - EVENTS, ENDPOINT, archivedAt, EVENTS],
  );
const storeEvent = (id: string, acceptedMs: number) =>
  database.query(
    `INSERT INTO events (tenant, id, type, resource_id, occurred_at, accepted_at, source_partition, source_offset,
       endpoint_ids, data, archived_at)
     VALUES ('t', $1, 'a.b', 'r-late', now(), $2, 1, $3, ARRAY[$4], '{}', now())`,
    [id, new Date(acceptedMs), acceptedMs, ENDPOINT],
  );
const parkedRows = () =>
  database.query<{ log: string; lane: string; place: number; delivery_id: string }>(
    'SELECT log, lane, place, delivery_id FROM parked_deliveries ORDER BY place',
  );

describe('carrying over', () => {
  it('given deliveries without an outcome and kills at every second page, then each delivery is parked once, in order', async () => {
    await storeEvents();
    await database.query(
      `INSERT INTO deliveries (id, accepted_at, tenant, event_id, event_type, endpoint_id, lane, status, replay, attempts, updated_at)
       SELECT $1, accepted_at, 't', id, type, $2, 'l', 'delivered', 0, 1, now() FROM events WHERE id = 'evt-7'`,
      [deliveryIdOf('t', 'evt-7', ENDPOINT), ENDPOINT],
    );

    await carry((page) => page % 2 === 0);

    const rows = await parkedRows();
    const expected = Array.from({ length: EVENTS }, (_, n) => n).filter((n) => n !== 7);
    expect(rows.map(({ delivery_id }) => delivery_id)).toEqual(
      expected.map((n) => deliveryIdOf('t', `evt-${n}`, ENDPOINT)),
    );
    expect(rows.map(({ place }) => place)).toEqual(expected.map((_, index) => carriedPosition(0, index)));
    expect(rows.every(({ log, lane }) => log === `deliveries/${partitionOf(lane, 2)}`)).toBe(true);
    expect(await database.query('SELECT carried_at IS NOT NULL AS done, carry FROM log_generations')).toEqual([
      { done: true, carry: null },
    ]);
  });

  it('given events that were archived after the start of the new log, then they are not parked', async () => {
    await storeEvents(new Date(BEGIN.archivedBeforeMs + 1));
    await carry();
    expect(await parkedRows()).toEqual([]);
  });

  it('given events archived soon after the new log began, then those of a lane are parked in order, none is passed over', async () => {
    await storeEvents(new Date());
    const carryOver = new CarryOver(KAFKA, database, writer);
    const done = carryOver.carriedOver(new AbortController().signal);
    // A page, or the wait for one, has begun.
    let looks = 0;
    const ordinal = async () => (await carryWork(database, ['deliveries']))[0]?.state?.ordinal ?? 0;
    await until('a page is stored, or none is for a while', async () => (await ordinal()) > 0 || ++looks > 15);
    // The router archives an event that was accepted before those of the first page, and then the next one of its lane.
    await storeEvent('evt-early', NOW - 2 * EVENTS);
    await storeEvent('evt-late', NOW);
    await done;

    const parked = (await parkedRows()).map(({ delivery_id }) => delivery_id);
    expect(parked).toHaveLength(EVENTS + 2);
    expect(parked.indexOf(deliveryIdOf('t', 'evt-early', ENDPOINT))).toBe(0);
    expect(parked.indexOf(deliveryIdOf('t', 'evt-late', ENDPOINT))).toBe(EVENTS + 1);
    carryOver.onModuleDestroy();
  });

  it('given another number of partitions, then lane rows, parked rows and commands move to the log of their lane', async () => {
    const lanes = Array.from({ length: 1_200 }, (_, n) => `${ENDPOINT}:r-${n}`);
    await database.query(
      `WITH lanes AS (SELECT lane, n FROM unnest($1::text[]) WITH ORDINALITY AS l (lane, n)),
         rows AS (INSERT INTO lane_rows (log, lane, endpoint_id, place, delivery_id, updated_at)
           SELECT 'deliveries/' || n % 7, lane, $2, n, 'd', now() FROM lanes),
         commands AS (INSERT INTO lane_commands (log, lane, place, kind, attempt, header, body, asked_at)
           SELECT 'deliveries/' || n % 7, lane, n, 'skip', 0, 'h', 'b', now() FROM lanes WHERE n < 9)
       INSERT INTO parked_deliveries (log, lane, place, endpoint_id, delivery_id, attempt, header, body, reason, parked_at)
       SELECT 'deliveries/' || n % 7, lane, n + k, $2, 'd', 0, 'h', 'b', 'head', now() FROM lanes, generate_series(1, 2) k`,
      [lanes, ENDPOINT],
    );

    await carry((page) => page === 1);

    for (const [table, count] of [
      ['lane_rows', 1_200],
      ['parked_deliveries', 2_400],
      ['lane_commands', 8],
    ] as const) {
      const rows = await database.query<{ log: string; lane: string }>(`SELECT log, lane FROM ${table}`);
      expect(rows).toHaveLength(count);
      expect(rows.filter(({ log, lane }) => log !== `deliveries/${partitionOf(lane, 2)}`)).toEqual([]);
    }
  });
});
