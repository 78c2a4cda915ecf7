import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Database, type Queryable } from '#common/postgres/database.js';
import { migrate } from '#common/postgres/migrate.js';
import { findRecovery, insertRecovery } from '../../apps/control/src/recoveries/recovery.repository.js';
import { RecoveryWorker } from '../../apps/control/src/recoveries/recovery-worker.js';
import type { ReplayRecords } from '../../apps/control/src/replays/replay-records.js';
import type { SchemaState } from '../../apps/control/src/schema/schema-state.js';
import { freshDatabase, type TestDatabase } from '../support/servers.js';
import { until } from '../support/until.js';

let server: TestDatabase;
let database: Database;

beforeAll(async () => {
  server = await freshDatabase();
  await migrate(server.url);
  database = new Database({ url: server.url, poolSize: 2, applicationName: 'test' });
});
afterAll(async () => {
  await database.close();
  await server.drop();
});

/** A database in which the pages of bulk replays fail for an unknown reason. @param plan whether the next page fails */
function failingPages(plan: boolean[]): Database {
  const failing = (tx: Queryable): Queryable => ({
    query: (sql, params, name) => {
      if (sql.includes('FROM dead_letters') && plan.shift()) return Promise.reject(new Error('odd'));
      return tx.query(sql, params, name);
    },
  });
  const transaction = <T>(work: (tx: Queryable) => Promise<T>) => database.transaction((tx) => work(failing(tx)));
  return Object.assign(Object.create(database), { transaction });
}

/** Runs a bulk replay of two pages, a count and an empty one. */
async function stateAfter(plan: boolean[]): Promise<string | undefined> {
  const schema = { ready: Promise.resolve() } as SchemaState;
  const records = {} as ReplayRecords;
  const worker = new RecoveryWorker(failingPages(plan), { RECOVERY_PER_SECOND: 1_000 }, schema, records);
  const { id } = await insertRecovery(database, {
    id: `rec_${plan.join('')}`,
    kind: 'dead_letters',
    tenant: null,
    endpoint_id: null,
    filter: {},
  });
  worker.onApplicationBootstrap();
  const stateNow = async () => (await findRecovery(database, id, undefined))?.state;
  await until('it is over', async () => {
    worker.begin();
    return ['done', 'failed'].includes((await stateNow()) ?? '');
  });
  await worker.onModuleDestroy();
  return stateNow();
}

it('given two errors of unknown kind before each page, then the job is done: a page that succeeds begins the count again', async () => {
  expect(await stateAfter([true, true, false, true, true, false])).toBe('done');
});

it('given four errors of unknown kind in a row, then the job fails', async () => {
  expect(await stateAfter([false, true, true, true, true, false])).toBe('failed');
});
