import { Database, type Queryable } from '#common/postgres/database.js';

/** Tables of the configuration; referenced tables first. */
const TABLES = [
  'endpoints',
  'endpoint_secrets',
  'endpoint_health',
  'api_keys',
  'outbox',
  'configuration_changes',
  'projector_offsets',
];

/** Copies these tables within the database, in place of a backup. */
export async function saveTables(db: Queryable): Promise<void> {
  await db.query('DROP SCHEMA IF EXISTS saved CASCADE');
  await db.query('CREATE SCHEMA saved');
  for (const table of TABLES) await db.query(`CREATE TABLE saved.${table} AS SELECT * FROM public.${table}`);
}

/** Restores the copy. No app may run. */
export async function restoreTables(url: string): Promise<void> {
  const database = new Database({ url, poolSize: 1, applicationName: 'restore' });
  try {
    await database.query(`TRUNCATE ${TABLES.map((table) => `public.${table}`).join(', ')}`);
    for (const table of TABLES) await database.query(`INSERT INTO public.${table} SELECT * FROM saved.${table}`);
  } finally {
    await database.close();
  }
}
