import { DataSource, type EntitySchema, type ObjectLiteral, QueryResult, type Repository } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { PostgresQueryRunner } from 'typeorm/driver/postgres/PostgresQueryRunner.js';
import { Database, type Queryable } from './database.js';
import { ApiKeyEntity } from './entities/api-key.js';
import { AuditEntryEntity } from './entities/audit-entry.js';
import { EndpointEntity } from './entities/endpoint.js';
import { EndpointSecretEntity } from './entities/endpoint-secret.js';
import { RecoveryEntity } from './entities/recovery.js';

/** The tables of configuration. Migrations make them; entities never change the schema. */
export const ENTITIES = [EndpointEntity, EndpointSecretEntity, ApiKeyEntity, RecoveryEntity, AuditEntryEntity];

/**
 * A repository whose statements run on the given pool or transaction. Rows, outbox entries and audit entries of one change share the
 * connection and the transaction of `tx`.
 *
 * Errors are those of {@link Queryable}. `affected` of a result is not known: use `RETURNING`.
 */
export function repositoryOf<Row extends ObjectLiteral>(db: Queryable, entity: EntitySchema<Row>): Repository<Row> {
  return source.repository(db, entity);
}

/** Metadata of the entities. It opens no connection: statements run on those of {@link Database}. */
class EntitySource extends DataSource {
  static async load(): Promise<EntitySource> {
    const loaded = new EntitySource({ type: 'postgres', entities: ENTITIES, synchronize: false });
    await loaded.buildMetadatas();
    return loaded;
  }

  repository<Row extends ObjectLiteral>(db: Queryable, entity: EntitySchema<Row>): Repository<Row> {
    const runner = new QueryableRunner(this.driver as PostgresDriver, db);
    return this.createEntityManager(runner).getRepository(entity);
  }
}

/** Runs TypeORM's statements on a {@link Queryable}. */
class QueryableRunner extends PostgresQueryRunner {
  constructor(
    driver: PostgresDriver,
    private readonly db: Queryable,
  ) {
    super(driver, 'master');
    this.isTransactionActive = !(db instanceof Database);
  }

  override async query(
    sql: string,
    params: unknown[] = [],
    isStructured = false,
  ): ReturnType<PostgresQueryRunner['query']> {
    const rows = await this.db.query(sql, params);
    if (!isStructured) return rows;
    return Object.assign(new QueryResult(), { raw: rows, records: rows });
  }

  /** @throws Error always: only {@link Database.transaction} begins transactions */
  override async startTransaction(): Promise<void> {
    throw new Error('a repository begins no transaction: use Database.transaction');
  }

  /** The connection is not the runner's. */
  override async release(): Promise<void> {
    await Promise.resolve();
  }
}

const source = await EntitySource.load();
