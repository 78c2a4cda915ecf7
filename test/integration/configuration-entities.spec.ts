import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { createDataSource } from '#common/postgres/data-source.js';
import { Database, type Queryable } from '#common/postgres/database.js';
import { migrate } from '#common/postgres/migrate.js';
import { ENTITIES } from '#common/postgres/repositories.js';
import { addressPolicy } from '#common/security/address-policy.js';
import { Sealer } from '#common/security/sealing.js';
import { ApiKeysService } from '../../apps/control/src/api-keys/api-keys.service.js';
import type { Standing } from '../../apps/control/src/changes/standing.js';
import { endpointCreateSchema, endpointPatchSchema } from '../../apps/control/src/endpoints/endpoint-schemas.js';
import { EndpointsService } from '../../apps/control/src/endpoints/endpoints.service.js';
import type { SealingKeys } from '../../apps/control/src/secrets/sealing-keys.js';
import { freshDatabase, type TestDatabase } from '../support/servers.js';
import '../support/quiet.js';

const ADMIN: AuthenticatedKey = { id: 'k_admin', tenant: null, scopes: ['admin'] };
const LIMITS = {
  BREAKER_THRESHOLD: 25,
  BREAKER_COOLDOWN_S: 60,
  BREAKER_MAX_COOLDOWN_S: 3_600,
  MAX_PARKED_AGE_S: 604_800,
  MAX_PARKED: 1_000_000,
};
const MAX_STATEMENTS = 40;
const TABLES = [
  'endpoints',
  'endpoint_secrets',
  'endpoint_health',
  'api_keys',
  'configuration_changes',
  'outbox',
  'audit_log',
];

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

/** Ends the connection of a transaction before its n-th statement, or before COMMIT. */
class EndingDatabase extends Database {
  /** 1-based; Infinity for never. */
  endsBefore = Number.POSITIVE_INFINITY;
  /** Of the last transaction. */
  wasEnded = false;

  override transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    this.wasEnded = false;
    return super.transaction(async (tx) => {
      let statements = 0;
      const step = async () => {
        if (++statements !== this.endsBefore) return;
        await endConnectionOf(tx);
        this.wasEnded = true;
      };
      const result = await work({
        query: async (sql, params, name) => {
          await step();
          return tx.query(sql, params, name);
        },
      });
      await step();
      return result;
    });
  }
}

async function endConnectionOf(tx: Queryable): Promise<void> {
  const [row] = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  await database.query('SELECT pg_terminate_backend($1, 5000)', [row?.pid]);
}

async function contents(): Promise<Record<string, string>> {
  const rows = await Promise.all(
    TABLES.map((table) =>
      database.query<{ rows: string }>(
        `SELECT coalesce(jsonb_agg(t ORDER BY t::text), '[]')::text AS rows FROM ${table} t`,
      ),
    ),
  );
  return Object.fromEntries(TABLES.map((table, index) => [table, rows[index]?.[0]?.rows ?? '']));
}

describe('a change of the configuration', () => {
  let ending: EndingDatabase;
  let endpoints: EndpointsService;
  let apiKeys: ApiKeysService;

  beforeEach(() => {
    ending = new EndingDatabase({ url: server.url, poolSize: 2, applicationName: 'test-ending' });
    const standing = { requireSame: () => undefined } as unknown as Standing;
    const sealer = new Sealer(`k1:${randomBytes(32).toString('base64')}`) as unknown as SealingKeys;
    const policy = addressPolicy({ allowHttp: true, allowedAddresses: [] });
    endpoints = new EndpointsService(ending, sealer, policy, LIMITS, standing);
    apiKeys = new ApiKeysService(ending, standing);
  });

  afterEach(() => ending.close());

  const create = () =>
    endpoints.create(ADMIN, endpointCreateSchema.parse({ url: 'https://a.example/', event_types: ['*'] }));
  const createKey = () =>
    apiKeys.create(ADMIN, { tenant: 'acme', scopes: ['read'], description: null, expires_at: null });
  interface Change {
    readonly given: string;
    readonly table: string;
    /** Makes what the change needs, and returns the change. */
    readonly prepare: () => Promise<() => Promise<unknown>>;
  }
  const CHANGES: readonly Change[] = [
    { given: 'a new endpoint', table: 'endpoints', prepare: async () => create },
    {
      given: 'a changed endpoint',
      table: 'endpoints',
      prepare: async () => {
        const { id } = await create();
        const patch = endpointPatchSchema.parse({ description: 'x', breaker: { threshold: 3 }, enabled: false });
        return () => endpoints.change(ADMIN, id, patch);
      },
    },
    {
      given: 'a rotated secret',
      table: 'endpoint_secrets',
      prepare: async () => {
        const { id } = await create();
        return () => endpoints.rotateSecret(ADMIN, id, 60);
      },
    },
    {
      given: 'a deleted endpoint',
      table: 'endpoints',
      prepare: async () => {
        const { id } = await create();
        return () => endpoints.remove(ADMIN, id);
      },
    },
    { given: 'a new API key', table: 'api_keys', prepare: async () => createKey },
    {
      given: 'a revoked API key',
      table: 'api_keys',
      prepare: async () => {
        const { id } = await createKey();
        return () => apiKeys.revoke(ADMIN, id);
      },
    },
  ];

  it.each(CHANGES)(
    'given $given, when its connection ends before any statement or the commit, then nothing of it is stored, else all',
    async ({ table, prepare }) => {
      const change = await prepare();
      const before = await contents();
      const ends = await endAtEachStatement(change, before);
      const after = await contents();
      const changed = TABLES.filter((name) => after[name] !== before[name]);
      expect(changed).toEqual(expect.arrayContaining([table, 'configuration_changes', 'outbox', 'audit_log']));
      // Row, audit entry, lock, number, outbox entry and commit at least.
      expect(ends).toBeGreaterThan(5);
    },
    60_000,
  );

  /** @returns the number of tries; the last one was left to succeed */
  async function endAtEachStatement(change: () => Promise<unknown>, before: Record<string, string>): Promise<number> {
    for (let tries = 1; tries <= MAX_STATEMENTS; tries++) {
      ending.endsBefore = tries;
      const error: unknown = await change().then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (error === undefined) return tries;
      expect(ending.wasEnded).toBe(true);
      expect(await contents()).toEqual(before);
    }
    throw new Error('the change never succeeded');
  }
});

describe('the entities', () => {
  it.each(ENTITIES.map((entity) => [entity.options.tableName ?? '', entity] as const))(
    'given the migrated schema, then %s has the columns of its entity, and no other',
    async (table, { options }) => {
      const columns = await database.query<{ name: string; type: string; nullable: boolean; primary: boolean }>(
        `SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type, NOT a.attnotnull AS nullable,
           EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY(i.indkey)) AS primary
         FROM pg_attribute a WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attname`,
        [table],
      );
      const described = Object.entries(options.columns).map(([name, column]) => ({
        name,
        type: `${TYPES[String(column?.type)] ?? String(column?.type)}${column?.array ? '[]' : ''}`,
        nullable: column?.nullable === true,
        primary: column?.primary === true,
      }));
      expect(described.sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual(columns);
    },
  );

  it('given the source of the migrations, then it neither synchronizes nor has entities', async () => {
    const { options } = createDataSource(server.url);
    expect(options).toMatchObject({ synchronize: false });
    expect(options.entities).toBeUndefined();
  });
});

/** PostgreSQL's own names of types. */
const TYPES: Readonly<Record<string, string>> = { int: 'integer', timestamptz: 'timestamp with time zone' };
