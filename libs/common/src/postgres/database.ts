import { types } from 'node:util';
import { Logger } from '@nestjs/common';
import pg from 'pg';
import { arrayLiteral } from './array-parameters.js';
import { codeOf, markConnectError, markRefusedByDriver } from './errors.js';
import { Problems } from './problems.js';

/** Something that runs statements: the pool, or one transaction. */
export interface Queryable {
  /**
   * @param sql with `$1`, `$2`, … for `params`; a list is an SQL array, JSON must be text; bigint comes back as number, timestamptz as Date
   * @param name prepares the statement once per connection; the same name must always come with the same text
   * @throws pg's errors; see `classifyError`
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
  private readonly problems = new Problems();

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
    this.pool = new pg.Pool({
      ...this.config,
      Client: MarkingClient,
      max: options.poolSize,
      idleTimeoutMillis: IDLE_TIMEOUT_MS,
    });
    // An idle connection that breaks is replaced by the next query; without a listener it would end the process.
    this.pool.on('error', (error) => this.logger.warn({ err: error }, 'postgres.connection_lost'));
  }

  async query<Row extends object>(sql: string, params: readonly unknown[] = [], name?: string): Promise<Row[]> {
    return run<Row>(this.pool, this.problems, sql, params, name);
  }

  /**
   * Runs `work` in one transaction, rolled back when it throws. When the connection breaks during the commit the outcome
   * is unknown.
   */
  async transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    return this.inTransaction(work, 'COMMIT');
  }

  /** Runs `work` in a transaction that is always rolled back: whether it would succeed. */
  async rehearse(work: (tx: Queryable) => Promise<unknown>): Promise<void> {
    await this.inTransaction(work, 'ROLLBACK');
  }

  /** A connection of its own, outside the pool: for session locks and notifications. */
  async openSession(): Promise<Session> {
    const client = new pg.Client(this.config);
    const session = new Session(client, this.problems);
    try {
      await client.connect();
    } catch (error) {
      markConnectError(error);
      this.problems.failed('connect', error);
      throw error;
    }
    return session;
  }

  /** @returns why PostgreSQL cannot do its part, or undefined; for readiness */
  get problem(): string | undefined {
    return this.problems.current;
  }

  /** One round trip, whose outcome `problem` then shows. Never throws. */
  async probe(): Promise<void> {
    await this.query('SELECT 1').catch((error: unknown) => this.logger.debug({ err: error }, 'postgres.probe_failed'));
  }

  /**
   * Waits for statements in flight, within a time limit: a server that does not answer must not delay the stop of a process.
   */
  async close(timeoutMs = CLOSE_TIMEOUT_MS): Promise<void> {
    const limit = Promise.withResolvers<void>();
    const timer = setTimeout(limit.resolve, timeoutMs);
    await Promise.race([this.pool.end(), limit.promise]).finally(() => clearTimeout(timer));
  }

  private async inTransaction<T>(work: (tx: Queryable) => Promise<T>, end: 'COMMIT' | 'ROLLBACK'): Promise<T> {
    const client = await this.connect();
    let broken: Error | undefined;
    // A connection that breaks between two statements emits an event, which without a listener ends the process.
    const noteBroken = (error: Error) => {
      broken = error;
    };
    client.on('error', noteBroken);
    try {
      await run(client, this.problems, 'BEGIN');
      const result = await work(queryableOf(client, this.problems));
      await run(client, this.problems, end);
      return result;
    } catch (error) {
      if (isPlanOutdated(error)) noteBroken(error);
      await client.query('ROLLBACK').catch(noteBroken);
      throw error;
    } finally {
      client.off('error', noteBroken);
      client.release(broken);
    }
  }

  private async connect(): Promise<pg.PoolClient> {
    try {
      return await this.pool.connect();
    } catch (error) {
      this.problems.failed('connect', error);
      throw error;
    }
  }
}

/** The pool opens connections itself, so its clients mark connection errors: no row is at fault then. */
class MarkingClient extends pg.Client {
  override connect(): Promise<pg.Client>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): Promise<pg.Client> | undefined {
    if (callback === undefined) return super.connect();
    const connected = callback as (error: Error | null, client: pg.Client) => void;
    super.connect((error: Error) => {
      if (error) markConnectError(error);
      connected(error, this);
    });
    return undefined;
  }
}

type Connected = ((error: Error) => void) | ((error: null, client: pg.Client) => void);

/** One held connection: its locks and subscriptions last until it ends. */
export class Session implements Queryable {
  /** Aborted when the connection is gone, for whatever reason. */
  readonly ended: AbortSignal;

  constructor(
    private readonly client: pg.Client,
    private readonly problems: Problems,
  ) {
    const ended = new AbortController();
    this.ended = ended.signal;
    client.once('end', () => ended.abort());
    client.on('error', () => ended.abort());
  }

  async query<Row extends object>(sql: string, params: readonly unknown[] = [], name?: string): Promise<Row[]> {
    return run<Row>(this.client, this.problems, sql, params, name);
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

function queryableOf(client: pg.ClientBase, problems: Problems): Queryable {
  return {
    query: <Row extends object>(sql: string, params: readonly unknown[] = [], name?: string) =>
      run<Row>(client, problems, sql, params, name),
  };
}

async function run<Row extends object>(
  on: pg.ClientBase | pg.Pool,
  problems: Problems,
  sql: string,
  params: readonly unknown[] = [],
  name?: string,
): Promise<Row[]> {
  try {
    const { rows } = await on.query<Row>(statement(sql, params, name));
    problems.succeeded(name ?? sql);
    return rows;
  } catch (error) {
    if (isEncodingError(error)) markRefusedByDriver(error);
    problems.failed(name ?? sql, error);
    throw error;
  }
}

/** Neither PostgreSQL nor a socket reports these: a value could not be made text, or the texts together are too long. */
function isEncodingError(error: unknown): boolean {
  if (!types.isNativeError(error) || codeOf(error).length === 5) return false;
  return ['TypeError', 'RangeError', 'URIError'].includes(error.name) || error.message.startsWith('circular reference');
}

/** A migration changed what a prepared statement returns: it fails on this connection until the connection ends. */
function isPlanOutdated(error: unknown): error is Error {
  return ['0A000', '26000'].includes(codeOf(error));
}

function statement(text: string, params: readonly unknown[], name: string | undefined): pg.QueryConfig {
  const values = params.map((param) => (Array.isArray(param) ? arrayLiteral(param) : param));
  return { text, values, ...(name === undefined ? {} : { name }) };
}

/** bigint holds offsets and sequences here, which are exact in a number up to 2^53; pg would give text. */
const BIGINT_OID = pg.types.builtins.INT8;

const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: 'text' | 'binary') =>
  oid === BIGINT_OID ? Number : pg.types.getTypeParser(oid, format);
