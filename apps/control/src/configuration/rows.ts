import type { Queryable } from '#common/postgres/database.js';
import { ENDPOINT_ID_PATTERN } from '#common/records/limits.js';
import type { OutRecord } from '#common/records/record.js';
import { API_KEYS_TOPIC, ENDPOINTS_TOPIC } from '#common/records/topics.js';
import { announceApiKey, apiKeyOutRecord, apiKeysByIds } from '../api-keys/api-key.repository.js';
import type { ConfigurationTopic } from '../changes/configuration-topics.js';
import { endpointsByIds } from '../endpoints/endpoint.repository.js';
import { announceEndpoint, endpointOutRecord } from '../endpoints/endpoint-announcement.js';

/** A row in the form of its record, for a comparison. */
export interface ConfigurationRow {
  readonly id: string;
  readonly version: number;
}

/** The table behind a topic of configuration. */
export interface ConfigurationTable {
  readonly table: 'endpoints' | 'api_keys';
  /** The records of those that exist. */
  recordsOf(db: Queryable, ids: readonly string[]): Promise<OutRecord[]>;
  /** Numbers a change of the row, and enqueues its record. */
  announce(tx: Queryable, id: string): Promise<unknown>;
}

export const TABLES: Readonly<Record<ConfigurationTopic, ConfigurationTable>> = {
  [ENDPOINTS_TOPIC]: {
    table: 'endpoints',
    recordsOf: async (db, ids) => (await endpointsByIds(db, ids)).map(endpointOutRecord),
    announce: announceEndpoint,
  },
  [API_KEYS_TOPIC]: {
    table: 'api_keys',
    recordsOf: async (db, ids) => (await apiKeysByIds(db, ids)).map(apiKeyOutRecord),
    announce: announceApiKey,
  },
};

const PAGE = 2_000;

/** All rows behind a topic, in pages, in order of ids. */
export async function* rowPages(db: Queryable, topic: ConfigurationTopic): AsyncGenerator<ConfigurationRow[]> {
  const sql = `SELECT id, version FROM ${TABLES[topic].table} WHERE id > $1 ORDER BY id LIMIT $2`;
  for (let after = ''; ; ) {
    const rows = await db.query<ConfigurationRow>(sql, [after, PAGE]);
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows;
    after = last.id;
  }
}

/**
 * Those of these rows that exist. Keys of a topic are outside input: PostgreSQL rejects a statement with a NUL. A key that
 * has not the form of an id, which endpoints and API keys share, has no row.
 */
export async function rowsByIds(
  db: Queryable,
  topic: ConfigurationTopic,
  keys: readonly string[],
): Promise<ConfigurationRow[]> {
  const ids = keys.filter((key) => ENDPOINT_ID_PATTERN.test(key));
  if (ids.length === 0) return [];
  return db.query<ConfigurationRow>(`SELECT id, version FROM ${TABLES[topic].table} WHERE id = ANY($1)`, [ids]);
}
