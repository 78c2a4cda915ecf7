import { beginNextLives } from '../../apps/control/src/replays/lives.js';
import { Database, type Queryable } from '../../libs/common/src/postgres/database.js';
import { migrate } from '../../libs/common/src/postgres/migrate.js';
import { createPartitions } from '../../libs/common/src/postgres/partitions.js';
import { freshDatabase, type TestDatabase } from '../support/servers.js';
import { until } from '../support/until.js';

const NOW = Date.now();
/** Ids in the opposite order of the times. The projector locks by time. */
const OLDER = { id: 'dlv_b', accepted_at: new Date(NOW - 1_000), replay: 0 };
const NEWER = { id: 'dlv_a', accepted_at: new Date(NOW), replay: 0 };

describe('locks on deliveries', () => {
  let server: TestDatabase;
  let database: Database;

  beforeAll(async () => {
    server = await freshDatabase();
    await migrate(server.url);
    database = new Database({ url: server.url, poolSize: 4, applicationName: 'test' });
    await createPartitions(database, NOW);
  });
  afterAll(async () => {
    await database.close();
    await server.drop();
  });

  it('given a recovery beside the projector, then both lock rows in the same order', async () => {
    await database.query(
      `INSERT INTO deliveries (id, accepted_at, tenant, event_id, event_type, endpoint_id, lane, status, replay, attempts, updated_at)
       SELECT id, accepted_at, 'acme', 'evt', 'a', 'ep', 'lane', 'dead', 0, 1, now()
       FROM unnest($1::text[], $2::timestamptz[]) AS d (id, accepted_at)`,
      [
        [OLDER.id, NEWER.id],
        [OLDER.accepted_at, NEWER.accepted_at],
      ],
    );
    let recovery: Promise<Set<string>> | undefined;
    await database.transaction(async (projector) => {
      await lock(projector, OLDER.id);
      recovery = database.transaction((tx) => beginNextLives(tx, [OLDER, NEWER]));
      await until('the recovery waits for a lock', isSomebodyWaiting);
      // NOWAIT fails when the recovery has locked the row already.
      await lock(projector, NEWER.id);
    });
    expect(await recovery).toEqual(new Set([OLDER.id, NEWER.id]));
  });

  async function lock(tx: Queryable, id: string): Promise<void> {
    await tx.query('SELECT id FROM deliveries WHERE id = $1 FOR UPDATE NOWAIT', [id]);
  }

  async function isSomebodyWaiting(): Promise<boolean> {
    const rows = await database.query('SELECT 1 FROM pg_locks WHERE NOT granted');
    return rows.length > 0;
  }
});
