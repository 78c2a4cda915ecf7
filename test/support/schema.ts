import { randomBytes } from 'node:crypto';
import { Database } from '#common/postgres/database.js';

/** A schema of its own in the test server, so that files do not meet; `url` sees nothing else. */
export async function freshSchema(): Promise<{ url: string; drop: () => Promise<void> }> {
  const base = process.env.DATABASE_URL;
  if (!base) throw new Error('DATABASE_URL is not set: the integration tests want a PostgreSQL server');
  const name = `test_${randomBytes(6).toString('hex')}`;
  const admin = new Database({ url: base, poolSize: 1, applicationName: 'test-support' });
  await admin.query(`CREATE SCHEMA ${name}`);
  const url = new URL(base);
  url.searchParams.set('options', `-c search_path=${name}`);
  return {
    url: url.toString(),
    drop: async () => {
      await admin.query(`DROP SCHEMA ${name} CASCADE`);
      await admin.close();
    },
  };
}
