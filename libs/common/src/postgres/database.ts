import { Logger } from '@nestjs/common';
import pg from 'pg';
import { arrayLiteral } from './array-literal.js';
import { isUnavailable } from './errors.js';

/** Something that runs statements: the pool, or one transaction. */
export interface Queryable {
  /**
   * @param sql with `$1`, `$2`, … for `params`; a list is an SQL array, JSON must be text; bigint comes back as number, timestamptz as Date
   * @param name prepares the statement once per connection; the same name must always come with the same text
   * @throws what pg throws; see `isUnavailable`
   */
  query<Row extends object>(sql: string, params?: readonly unknown[], name?: string): Promise<Row[]>;
}

export interface DatabaseOptions {
  readonly url: string;
  readonly poolSize: number;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  /** The server cancels a statement after this long; default 10 s. */
  readonly statementTimeoutMs?: number;
  /**
   * Its statements find rows by key. They are planned while tables are small, and used when there are millions of rows: no
   * plan may read a whole table, however cheap that looks. `options` in the URL replace this.
   */
  readonly readsByKey?: boolean;
}

const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 10_000;
/** A server that does not even cancel in time is taken for gone this much later. */
const READ_GRACE_MS = 5_000;
const KEEPALIVE_DELAY_MS = 10_000;
const CLOSE_TIMEOUT_MS = 5_000;
const IDLE_TIMEOUT_MS = 60_000;

/** A pool of connections to PostgreSQL. Connects lazily: the server may be away when a process starts. */
export class Database implements Queryable {
  private readonly logger = new Logger(Database.name);
  private readonly pool: pg.Pool;
  private readonly config: pg.ClientConfig;
  private lastProblem: string | undefined = 'no query yet';

  constructor(options: DatabaseOptions) {
    const statementTimeoutMs = options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS;
    this.config = {
      connectionString: options.url,
      application_name: options.applicationName,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: statementTimeoutMs,
      idle_in_transaction_session_timeout: 2 * statementTimeoutMs,
      query_timeout: statementTimeoutMs + READ_GRACE_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEPALIVE_DELAY_MS,
      types: { getTypeParser },
      ...(options.readsByKey ? { options: '-c enable_seqscan=off' } : {}),
    };
    this.pool = new pg.Pool({ ...this.config, max: options.poolSize, idleTimeoutMillis: IDLE_TIMEOUT_MS });
    // An idle connection that breaks is replaced by the next query; without a listener it would end the process.
    this.pool.on('error', (error) => this.logger.warn({ err: error }, 'postgres.connection_lost'));
  }

  async query<Row extends object>(sql: string, params: readonly unknown[] = [], name?: string): Promise<Row[]> {
    return this.observed(async () => {
      const { rows } = await this.pool.query<Row>(statement(sql, params, name));
      return rows;
    });
  }

  /**
   * Runs `work` in one transaction, rolled back when it throws. When the connection breaks during the commit the outcome
   * is unknown.
   */
  async transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    return this.observed(async () => {
      const client = await this.pool.connect();
      let broken: Error | undefined;
      // A connection that breaks between two statements tells so by an event, which without a listener ends the process.
      const noteBroken = (error: Error) => {
        broken = error;
      };
      client.on('error', noteBroken);
      try {
        await client.query('BEGIN');
        const result = await work(queryableOf(client));
        await client.query('COMMIT');
        return result;
      } catch (error) {
        await client.query('ROLLBACK').catch(noteBroken);
        throw error;
      } finally {
        client.off('error', noteBroken);
        client.release(broken);
      }
    });
  }

  /** A connection of its own, outside the pool: for session locks and notifications. */
  async openSession(): Promise<Session> {
    const client = new pg.Client(this.config);
    const session = new Session(client);
    await client.connect();
    return session;
  }

  /** @returns what the last statement failed of, or undefined; for readiness */
  get problem(): string | undefined {
    return this.lastProblem;
  }

  /** One round trip, whose outcome `problem` then tells. Never throws. */
  async probe(): Promise<void> {
    await this.query('SELECT 1').catch((error: unknown) => this.logger.debug({ err: error }, 'postgres.probe_failed'));
  }

  /**
   * Waits for statements under way, but not as long as they may take: a server that does not answer must not keep a process
   * that is told to stop.
   */
  async close(timeoutMs = CLOSE_TIMEOUT_MS): Promise<void> {
    const limit = Promise.withResolvers<void>();
    const timer = setTimeout(limit.resolve, timeoutMs);
    await Promise.race([this.pool.end(), limit.promise]).finally(() => clearTimeout(timer));
  }

  private async observed<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      this.lastProblem = undefined;
      return result;
    } catch (error) {
      if (isUnavailable(error)) this.lastProblem = asError(error).message || 'unreachable';
      throw error;
    }
  }
}

/** One connection that is held: what is locked or listened to lasts until it ends. */
export class Session implements Queryable {
  /** Aborted when the connection is gone, for whatever reason. */
  readonly ended: AbortSignal;

  constructor(private readonly client: pg.Client) {
    const ended = new AbortController();
    this.ended = ended.signal;
    client.once('end', () => ended.abort());
    client.on('error', () => ended.abort());
  }

  async query<Row extends object>(sql: string, params: readonly unknown[] = [], name?: string): Promise<Row[]> {
    return queryableOf(this.client).query<Row>(sql, params, name);
  }

  /** Calls back for every NOTIFY on a channel this session has `LISTEN`ed to. */
  onNotification(callback: () => void): void {
    this.client.on('notification', callback);
  }

  /** Ends the connection; never throws. */
  async close(): Promise<void> {
    await this.client.end().catch(() => undefined);
  }
}

function queryableOf(client: pg.ClientBase): Queryable {
  return {
    async query<Row extends object>(sql: string, params: readonly unknown[] = [], name?: string): Promise<Row[]> {
      const { rows } = await client.query<Row>(statement(sql, params, name));
      return rows;
    },
  };
}

function statement(text: string, params: readonly unknown[], name: string | undefined): pg.QueryConfig {
  const values = params.map((param) => (Array.isArray(param) ? arrayLiteral(param) : param));
  return { text, values, ...(name === undefined ? {} : { name }) };
}

/** bigint holds offsets and sequences here, which are exact in a number up to 2^53; pg would give text. */
const BIGINT_OID = pg.types.builtins.INT8;

const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: 'text' | 'binary') =>
  oid === BIGINT_OID ? Number : pg.types.getTypeParser(oid, format);

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
