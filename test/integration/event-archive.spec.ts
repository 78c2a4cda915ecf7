import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { EventToArchive } from '#common/postgres/archived-event.js';
import { Database } from '#common/postgres/database.js';
import { migrate } from '#common/postgres/migrate.js';
import { persistBatch } from '#common/postgres/persist-batch.js';
import { EventArchive } from '../../apps/ingest/src/router/event-archive.js';
import { runSql } from '../../scripts/lib/postgres.mjs';
import { freshDatabase, type TestDatabase } from '../support/servers.js';

const ACCEPTED_AT = Date.UTC(2026, 0, 31, 12, 0, 0, 123);

function event(id: string, over: Partial<EventToArchive['event']> = {}, endpointIds: string[] = []): EventToArchive {
  return {
    event: {
      id,
      tenant: 'acme',
      type: 'invoice.paid',
      resourceId: undefined,
      occurredAt: '2026-01-31T12:00:00Z',
      rawData: '{"a":1}',
      acceptedAt: ACCEPTED_AT,
      partition: 0,
      position: 1,
      ...over,
    },
    occurredAtMs: Date.UTC(2026, 0, 31, 12),
    endpointIds,
  };
}

describe('EventArchive', () => {
  let server: TestDatabase;
  let database: Database;
  let archive: EventArchive;

  beforeAll(async () => {
    server = await freshDatabase();
    await migrate(server.url);
    database = new Database({ url: server.url, poolSize: 8, applicationName: 'test' });
    archive = new EventArchive(database);
  });
  afterAll(async () => {
    await database.close();
    await server.drop();
  });

  it('given values with special characters, then they are stored unchanged', async () => {
    const hard = event(
      `it's "\\N" {,} ~`,
      {
        resourceId: 'é\u2028𝄞{"\\}',
        rawData: '{"a":"\\u0000\\u001e\\ud800 \\\\", "b":\t[1e400,\n12345678901234567890]}',
      },
      ['ep_1', 'ep_2'],
    );
    const year0 = { ...event('year 0'), occurredAtMs: Date.parse('0000-01-01T00:00:00Z') };
    expect(await archive.store([hard, year0])).toEqual(['fresh', 'fresh']);
    const [row] = await database.query('SELECT * FROM events WHERE id = $1', [hard.event.id]);
    expect(row).toMatchObject({
      resource_id: hard.event.resourceId,
      data: hard.event.rawData,
      endpoint_ids: ['ep_1', 'ep_2'],
      accepted_at: new Date(ACCEPTED_AT),
    });
  });

  it('given neither resource nor endpoints, then both columns are empty', async () => {
    await archive.store([event('bare')]);
    const [row] = await database.query('SELECT resource_id, endpoint_ids FROM events WHERE id = $1', ['bare']);
    expect(row).toEqual({ resource_id: null, endpoint_ids: [] });
  });

  it('given a known id, then its source distinguishes redelivery and duplicate, and other tenants are independent', async () => {
    await archive.store([event('a'), event('b', { position: 2 })]);
    const again = [
      event('a', {}, ['ep_9']),
      event('b', { position: 3 }),
      event('c', { position: 4 }),
      event('a', { tenant: 'other' }),
    ];
    expect(await archive.store(again)).toEqual(['redelivered', 'duplicate', 'fresh', 'fresh']);
    expect(await archive.store([event('a', { partition: 1 })])).toEqual(['duplicate']);
    const rows = await database.query("SELECT endpoint_ids FROM events WHERE id = 'a' AND tenant = 'acme'");
    expect(rows).toEqual([{ endpoint_ids: ['ep_9'] }]);
  });

  it('given several routers with the same ids in all orders at once, then each id is fresh for one of them', async () => {
    const ids = Array.from({ length: 200 }, (_, index) => `shared-${index}`);
    const routers = Array.from({ length: 6 }, (_, partition) =>
      ids.toSorted(() => (partition % 2 ? 1 : -1) * (Math.random() - 0.5)).map((id) => event(id, { partition })),
    );
    const novelties = await Promise.all(routers.map((batch) => archive.store(batch)));
    const fresh = novelties.flatMap((list, router) =>
      list.flatMap((novelty, index) => (novelty === 'fresh' ? (routers[router]?.[index]?.event.id ?? '') : [])),
    );
    expect(fresh.toSorted()).toEqual(ids.toSorted());
    expect(new Set(novelties.flat())).toEqual(new Set(['fresh', 'duplicate']));
  });

  it('given a database that lacks a character, then only the event with that character is rejected', async () => {
    const name = `t_latin_${randomBytes(4).toString('hex')}`;
    await runSql(
      server.url,
      `create database ${name} encoding 'LATIN1' locale_provider libc locale 'C' template template0`,
    );
    const url = Object.assign(new URL(server.url), { pathname: `/${name}` }).href;
    await migrate(url);
    const latin = new Database({ url, poolSize: 1, applicationName: 'test' });
    const batch = ['"é"', '"€"', '1', '2', '"𝄞"'].map((rawData, index) =>
      event(`e${index}`, { rawData, position: index }),
    );
    const latinArchive = new EventArchive(latin);
    const store = async () =>
      (await persistBatch(batch, {
        name: 'archive',
        run: (events) => latinArchive.store(events),
        rehearse: (one) => latinArchive.rehearse(one),
        isEnded: () => false,
        onWait: () => undefined,
        describe: () => ({}),
      })) ?? [];
    const refused = expect.objectContaining({ why: 'row', error: expect.objectContaining({ code: '22P05' }) });
    expect(await store()).toEqual(['fresh', refused, 'fresh', 'fresh', refused]);
    expect(await store()).toEqual(['redelivered', refused, 'redelivered', 'redelivered', refused]);
    await latin.close();
    await runSql(server.url, `drop database ${name}`);
  });

  it('given a rehearsal, then no row is stored', async () => {
    await archive.rehearse(event('rehearsed'));
    expect(await archive.store([event('rehearsed', { position: 7 })])).toEqual(['fresh']);
  });

  it('given an empty batch, then no statement runs', async () => {
    expect(await archive.store([])).toEqual([]);
  });
});
