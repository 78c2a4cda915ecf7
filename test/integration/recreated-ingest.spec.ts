import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { offsetOf, positionOf } from '#common/domain/position.js';
import { RECORD_WRITER, type RecordWriter } from '#common/kafka/port/record-writer.js';
import { EventArchive } from '../../apps/ingest/src/router/event-archive.js';
import { IngestApp } from '../support/ingest-app.js';
import { recreateTopics } from '../support/recreate-topics.js';
import { freshDatabase, type TestDatabase, testBrokers } from '../support/servers.js';
import { until } from '../support/until.js';

/*
 * The topic `ingest` is recreated while PostgreSQL has events whose deliveries the router had not written. Only the
 * archive has these events: their records are gone.
 */

const BEFORE = 5;
const EVENTS = 20;

let server: TestDatabase;
let ingest: IngestApp;
let endpointId: string;

beforeAll(async () => {
  server = await freshDatabase();
  ingest = await IngestApp.start({ brokers: testBrokers(), databaseUrl: server.url });
  endpointId = await ingest.addEndpoint({ tenant: 'acme', event_types: ['invoice.*'] });
  await ingest.database.query(
    `INSERT INTO endpoints (id, tenant, url, event_types, ordering, retry_policy, payload, header_names, timeout_ms,
       max_in_flight, status) VALUES ($1, 'acme', 'http://x/', '{invoice.*}', 'resource', '{}', 'full', '{}', 1000, 1, 'active')`,
    [endpointId],
  );
}, 60_000);
afterEach(() => {
  jest.restoreAllMocks();
});
afterAll(async () => {
  await ingest.stop();
  await server.drop();
});

/** Publishes numbered events of one resource. */
async function publish(name: string, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, n) => `${name}-${n}`);
  const records = ids.map((id) => {
    const value = JSON.stringify({ id, type: 'invoice.paid', tenant: 'acme', resource_id: 'r', data: { name } });
    return { key: 'r', value };
  });
  await ingest.write(...records);
  return ids;
}

const archived = (ids: readonly string[]) =>
  until('the events are archived', async () => {
    const rows = await ingest.database.query<{ count: number }>(
      'SELECT count(*) AS count FROM events WHERE id = ANY($1)',
      [ids],
    );
    return rows[0]?.count === ids.length;
  });
const delivered = (ids: readonly string[]) =>
  until('their deliveries are written', () => ids.every((id) => ingest.deliveriesOf(id).length > 0), 60_000);
const ordered = (ids: readonly string[]) => ingest.deliveredIds().filter((id) => ids.includes(id));
const generation = async () => {
  const rows = await ingest.database.query<{ generation: number }>(
    `SELECT max(generation) AS generation FROM log_generations WHERE topic = 'ingest'`,
  );
  return rows[0]?.generation ?? 0;
};

describe('a recreated topic ingest', () => {
  it('given archived events of a router that ended before it wrote their deliveries, then its successor writes them first, once', async () => {
    const before = await publish('written', BEFORE);
    await delivered(before);
    const write = jest.spyOn(ingest.part<RecordWriter>(RECORD_WRITER), 'write');
    write.mockRejectedValue(new Error('no broker answers'));
    const lost = await publish('unwritten', EVENTS);
    await archived(lost);
    await ingest.stopApp();
    await recreateTopics(ingest.settings, ['ingest']);
    const after = await publish('later', EVENTS);
    await ingest.restart();

    await delivered([...lost, ...after]);
    expect(ordered([...before, ...lost, ...after])).toEqual([...before, ...lost, ...after]);
    const [delivery] = ingest.deliveriesOf('unwritten-3');
    expect(delivery?.record.key?.toString()).toBe(`${endpointId}:r`);
    expect(delivery?.meta).toMatchObject({ endpointId, attempt: 0, replay: 0 });
    expect(delivery?.body).toMatchObject({ id: 'unwritten-3', data: { name: 'unwritten' }, resource_id: 'r' });
    expect(delivery?.body.sequence).toBeLessThan(positionOf(1, 0));
    expect(offsetOf(Number(ingest.deliveriesOf('later-3')[0]?.body.sequence))).toBe(3);

    await ingest.restart();
    await delivered(await publish('last', 1));
    expect(ordered(lost)).toEqual(lost);
  }, 120_000);

  it('given a running router, when the topic is replaced during the archiving of a batch, then its deliveries are written first, once', async () => {
    const number = await generation();
    const archive = ingest.part(EventArchive);
    const store = archive.store.bind(archive);
    const gate = Promise.withResolvers<void>();
    const held = jest.spyOn(archive, 'store').mockImplementationOnce(async (batch) => {
      await gate.promise;
      return store(batch);
    });
    const [first = ''] = await publish('held', 1);
    await until('PostgreSQL is asked', () => held.mock.calls.length > 0);
    await recreateTopics(ingest.settings, ['ingest']);
    const after = await publish('newer', EVENTS);
    await until('the new log is seen', async () => (await generation()) > number, 30_000);
    gate.resolve();

    await delivered([first, ...after]);
    expect(ordered([first, ...after])).toEqual([first, ...after]);
  }, 120_000);
});

describe('a topic ingest without its tail', () => {
  it('given events in the lost tail whose deliveries were not written, then the next owner writes them, once and in order', async () => {
    const before = await publish('kept', BEFORE);
    await delivered(before);
    const write = jest.spyOn(ingest.part<RecordWriter>(RECORD_WRITER), 'write');
    write.mockRejectedValue(new Error('no broker answers'));
    const lost = await publish('in-tail', EVENTS);
    await archived(lost);
    await ingest.stopApp();
    await moveBeyondEnd(lost);
    await ingest.restart();
    await delivered(lost);
    const after = await publish('behind', EVENTS);
    await delivered(after);
    expect(ordered([...before, ...lost, ...after])).toEqual([...before, ...lost, ...after]);
    const sequences = [...lost, ...after].map((id) => Number(ingest.deliveriesOf(id)[0]?.body.sequence));
    expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));

    await ingest.restart();
    await delivered(await publish('final', 1));
    expect(ordered(lost)).toEqual(lost);
  }, 120_000);
});

/** Moves positions in PostgreSQL beyond the end of the log, as after a lost tail. */
async function moveBeyondEnd(ids: readonly string[]): Promise<void> {
  await ingest.database.query('UPDATE events SET source_offset = source_offset + 1000000 WHERE id = ANY($1)', [ids]);
  await ingest.database.query(
    'UPDATE event_keys SET source_offset = source_offset + 1000000 WHERE event_id = ANY($1)',
    [ids],
  );
}
