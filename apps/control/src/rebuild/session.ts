import type { Database, Queryable, Session } from '#common/postgres/database.js';

/** One rebuild at a time: two would send the same deliveries twice. */
const LOCK_SQL = `SELECT pg_try_advisory_lock(hashtextextended('posthorn.rebuild.' || current_schema(), 0)) AS held, now() AS now`;

/** States of deliveries, from any table. A dry run adds the outcomes that it has only read. */
const STATES = `CREATE TEMP VIEW rebuild_states AS
  SELECT id, lane, endpoint_id, accepted_at, replay, status, attempts, next_attempt_at FROM deliveries`;

/** In a dry run the staging table is a temporary one of the same name, which hides the other. */
const DRY_RUN = [
  'CREATE TEMP TABLE rebuild_deliveries (LIKE rebuild_deliveries INCLUDING ALL)',
  'CREATE TEMP TABLE rebuild_outcomes (LIKE deliveries INCLUDING DEFAULTS)',
  'CREATE INDEX ON rebuild_outcomes (accepted_at, id)',
  `${STATES} UNION ALL
   SELECT id, lane, endpoint_id, accepted_at, replay, status, attempts, next_attempt_at FROM rebuild_outcomes`,
];

/** The one connection of a rebuild: it holds the lock, and in a dry run the temporary tables. */
export class RebuildSession implements Queryable {
  private constructor(
    private readonly session: Session,
    readonly isDryRun: boolean,
    /** By the clock of the database. */
    readonly startedAt: Date,
  ) {}

  /** @throws Error when another rebuild runs */
  static async open(database: Database, isDryRun: boolean): Promise<RebuildSession> {
    const session = await database.openSession();
    const [row] = await session.query<{ held: boolean; now: Date }>(LOCK_SQL);
    if (!row?.held) {
      await session.close();
      throw new Error('another rebuild of this database is under way');
    }
    for (const statement of isDryRun ? DRY_RUN : [STATES]) await session.query(statement);
    return new RebuildSession(session, isDryRun, row.now);
  }

  query<Row extends object>(sql: string, params?: readonly unknown[], name?: string): Promise<Row[]> {
    return this.session.query<Row>(sql, params, name);
  }

  /** Runs `work` in one transaction, rolled back when it throws. */
  async transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    await this.query('BEGIN');
    try {
      const result = await work(this);
      await this.query('COMMIT');
      return result;
    } catch (error) {
      await this.query('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }

  /** Without it, plans of the next statements count these tables as empty. */
  async analyze(): Promise<void> {
    for (const table of this.isDryRun ? ['rebuild_deliveries', 'rebuild_outcomes'] : ['rebuild_deliveries'])
      await this.query(`ANALYZE ${table}`);
  }

  async close(): Promise<void> {
    await this.session.close();
  }
}
