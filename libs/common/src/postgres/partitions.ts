import type { Database, Queryable } from './database.js';

/** Tables with one partition per UTC day of `accepted_at`. */
const PARTITIONED = ['events', 'deliveries', 'attempts'] as const;
type PartitionedTable = (typeof PARTITIONED)[number];

/** Days that have a partition before they begin: control may be away that long. */
export const DAYS_AHEAD = 14;
/** How long the same event id counts as the same event. */
export const EVENT_KEY_DAYS = 7;

const DAY_MS = 86_400_000;

/** Updates of a delivery find room beside the row they replace, and so touch no index. */
const STORAGE: Readonly<Partial<Record<PartitionedTable, string>>> = { deliveries: ' WITH (fillfactor = 85)' };

/**
 * Creates the missing partitions of today and the days ahead. Rows of a new day leave the default partition for their own.
 * Safe to run in several processes at once.
 */
export async function createPartitions(database: Database, nowMs: number): Promise<string[]> {
  const created: string[] = [];
  for (const table of PARTITIONED) {
    const existing = new Set(await partitionsOf(database, table));
    for (let ahead = 0; ahead <= DAYS_AHEAD; ahead++) {
      const day = startOfDay(nowMs + ahead * DAY_MS);
      const name = partitionName(table, day);
      if (existing.has(name)) continue;
      await database.transaction((tx) => createPartition(tx, table, day));
      created.push(name);
    }
  }
  return created;
}

/** Drops the partitions of days that ended more than `retentionDays` ago, and their rows in the default partition. */
export async function dropOldPartitions(database: Database, nowMs: number, retentionDays: number): Promise<string[]> {
  const oldest = startOfDay(nowMs - retentionDays * DAY_MS);
  const dropped: string[] = [];
  for (const table of PARTITIONED) {
    const oldestName = partitionName(table, oldest);
    for (const name of await partitionsOf(database, table)) {
      if (name >= oldestName) continue;
      await database.transaction(async (tx) => {
        await lock(tx);
        await tx.query(`DROP TABLE IF EXISTS ${name}`);
      });
      dropped.push(name);
    }
    await database.query(`DELETE FROM ${table}_default WHERE accepted_at < $1`, [oldest]);
  }
  return dropped;
}

/** Forgets event ids beyond the window of deduplication, a bounded number at a time. @returns how many */
export async function forgetEventKeys(database: Database, nowMs: number, atMost = 20_000): Promise<number> {
  const [row] = await database.query<{ forgotten: number }>(
    `WITH gone AS (
       DELETE FROM event_keys WHERE (tenant, event_id) IN (
         SELECT tenant, event_id FROM event_keys WHERE accepted_at < $1 LIMIT $2)
       RETURNING 1)
     SELECT count(*) AS forgotten FROM gone`,
    [new Date(nowMs - EVENT_KEY_DAYS * DAY_MS), atMost],
  );
  return row?.forgotten ?? 0;
}

/** @returns names such as `events_20260131`, the default partition not among them */
async function partitionsOf(database: Queryable, table: PartitionedTable): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = $1::regclass AND c.relname ~ '_[0-9]{8}$' ORDER BY 1`,
    [table],
  );
  return rows.map(({ name }) => name);
}

/**
 * A table that is filled, then attached: unlike CREATE TABLE … PARTITION OF, attaching does not lock out readers and
 * writers of the other partitions, and rows that wait in the default partition are no obstacle.
 */
async function createPartition(tx: Queryable, table: PartitionedTable, day: Date): Promise<void> {
  const name = partitionName(table, day);
  const from = day.toISOString();
  const to = new Date(day.getTime() + DAY_MS).toISOString();
  await lock(tx);
  const [exists] = await tx.query('SELECT 1 FROM pg_class WHERE oid = to_regclass($1)', [name]);
  if (exists) return;
  await tx.query(
    `CREATE TABLE ${name} (LIKE ${table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)${STORAGE[table] ?? ''}`,
  );
  await tx.query(
    `WITH moved AS (DELETE FROM ${table}_default WHERE accepted_at >= $1 AND accepted_at < $2 RETURNING *)
     INSERT INTO ${name} SELECT * FROM moved`,
    [from, to],
  );
  await tx.query(`ALTER TABLE ${table} ATTACH PARTITION ${name} FOR VALUES FROM ('${from}') TO ('${to}')`);
}

/** One process at a time changes partitions. It waits a short time for a table lock, since later statements wait behind it. */
async function lock(tx: Queryable): Promise<void> {
  await tx.query(`SET LOCAL lock_timeout = '3s'`);
  await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('posthorn.partitions.' || current_schema(), 0))`);
}

function partitionName(table: PartitionedTable, day: Date): string {
  return `${table}_${day.toISOString().slice(0, 10).replaceAll('-', '')}`;
}

function startOfDay(ms: number): Date {
  return new Date(Math.floor(ms / DAY_MS) * DAY_MS);
}
