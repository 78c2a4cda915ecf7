import type { OutRecord } from '#common/kafka/record.js';
import type { Queryable } from '#common/postgres/database.js';
import type { ApiKeyRecord } from '#common/records/api-key-record.js';
import { API_KEYS_TOPIC } from '#common/records/topics.js';
import type { ApiScope } from '#common/security/api-key.js';
import { owe } from '../outbox/outbox.js';
import { Conditions } from '../queries/conditions.js';
import type { Position } from '../queries/paging.js';

/** An API key as it is stored: its hash, never its text. */
export interface StoredApiKey {
  readonly id: string;
  readonly version: number;
  readonly hash: string;
  readonly tenant: string | null;
  readonly scopes: ApiScope[];
  readonly description: string | null;
  readonly created_at: Date;
  readonly expires_at: Date | null;
}

/** Stores a key and owes it to its topic. @returns undefined when a key with this id is there already, and stays */
export async function insertApiKey(
  tx: Queryable,
  key: Omit<StoredApiKey, 'version' | 'created_at'>,
): Promise<StoredApiKey | undefined> {
  const [stored] = await tx.query<StoredApiKey>(
    `INSERT INTO api_keys (id, hash, tenant, scopes, description, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (id) DO NOTHING RETURNING *`,
    [key.id, key.hash, key.tenant, key.scopes, key.description, key.expires_at],
  );
  if (stored !== undefined) await owe(tx, [apiKeyOutRecord(stored)]);
  return stored;
}

/** Removes a key and owes the tombstone. @param tenant undefined for any @returns undefined when there is none */
export async function deleteApiKey(
  tx: Queryable,
  id: string,
  tenant: string | undefined,
): Promise<StoredApiKey | undefined> {
  const conditions = new Conditions().add('id = ?', id).add('tenant = ?', tenant);
  const [key] = await tx.query<StoredApiKey>(
    `DELETE FROM api_keys WHERE ${conditions.sql} RETURNING *`,
    conditions.params,
  );
  if (key !== undefined) await owe(tx, [{ topic: API_KEYS_TOPIC, key: id, value: null }]);
  return key;
}

/**
 * Ids of the keys that may still manage all keys. They stay locked until the transaction ends: of two requests that
 * revoke the last two of them, one waits and then sees what the other did.
 */
export async function lockAdminKeys(tx: Queryable): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(
    `SELECT id FROM api_keys WHERE tenant IS NULL AND 'admin' = ANY(scopes) AND (expires_at IS NULL OR expires_at > now())
     ORDER BY id FOR UPDATE`,
  );
  return rows.map(({ id }) => id);
}

/** Newest first, up to `limit`. */
export async function listApiKeys(
  db: Queryable,
  { tenant, before, limit }: { tenant: string | undefined; before: Position | undefined; limit: number },
): Promise<StoredApiKey[]> {
  const conditions = new Conditions()
    .add('tenant = ?', tenant)
    .add('(created_at, id) < (?, ?)', before?.at, before?.key[0]);
  return db.query<StoredApiKey>(
    `SELECT * FROM api_keys WHERE ${conditions.sql} ORDER BY created_at DESC, id DESC LIMIT ${conditions.param(limit)}`,
    conditions.params,
  );
}

/** All keys after this id, in order of ids, up to `limit`: for reading all of them in pages. */
export async function apiKeysAfter(db: Queryable, id: string, limit: number): Promise<StoredApiKey[]> {
  return db.query<StoredApiKey>('SELECT * FROM api_keys WHERE id > $1 ORDER BY id LIMIT $2', [id, limit]);
}

export function apiKeyOutRecord(key: StoredApiKey): OutRecord {
  const { id, version, hash, tenant, scopes, expires_at } = key;
  const record: ApiKeyRecord = {
    v: 1,
    id,
    version,
    hash,
    tenant,
    scopes,
    expires_at: expires_at?.getTime() ?? null,
  };
  return { topic: API_KEYS_TOPIC, key: id, value: JSON.stringify(record) };
}
