import type { ApiScope } from '#common/api-keys/api-key.js';
import type { Queryable } from '#common/postgres/database.js';
import { CHANGE_HEADER, encodeChange } from '#common/records/configuration-change.js';
import type { OutRecord } from '#common/records/record.js';
import { API_KEYS_TOPIC } from '#common/records/topics.js';
import { nextChange } from '../changes/changes.js';
import { tombstone } from '../changes/tombstone.js';
import { owe } from '../outbox/outbox.js';
import { Conditions } from '../shared/conditions.js';
import type { Position } from '../shared/paging.js';
import type { ApiKeyCopy } from './api-key-copy.js';

/** An API key as it is stored: its hash, never its text. */
export interface StoredApiKey {
  readonly id: string;
  readonly version: number;
  /** Of its last change; 0 and empty when that was made by an earlier release. */
  readonly sequence: number;
  readonly change_id: string;
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
  key: Omit<StoredApiKey, 'version' | 'sequence' | 'change_id' | 'created_at'>,
): Promise<StoredApiKey | undefined> {
  if ((await tx.query('SELECT 1 FROM api_keys WHERE id = $1', [key.id])).length > 0) return undefined;
  const change = await nextChange(tx, API_KEYS_TOPIC, key.id);
  // The version is the sequence: above that of every key, and every deletion of one, that had this id before.
  const [stored] = await tx.query<StoredApiKey>(
    `INSERT INTO api_keys (id, hash, tenant, scopes, description, expires_at, version, sequence, change_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7::int, $7::int, $8) ON CONFLICT (id) DO NOTHING RETURNING *`,
    [key.id, key.hash, key.tenant, key.scopes, key.description, key.expires_at, change.sequence, change.id],
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
  if (key === undefined) return undefined;
  const change = await nextChange(tx, API_KEYS_TOPIC, id);
  const version = Math.max(change.sequence, key.version + 1);
  await owe(tx, [tombstone(API_KEYS_TOPIC, id, { ...change, version })]);
  return key;
}

/** Makes the key what is given, version included, whether or not it is there. */
export async function replaceApiKey(tx: Queryable, key: StoredApiKey): Promise<void> {
  const columns = Object.keys(COLUMNS) as (keyof StoredApiKey)[];
  const assignments = columns.map((column) => `${column} = excluded.${column}`);
  const places = columns.map((_, index) => `$${index + 1}`);
  await tx.query(
    `INSERT INTO api_keys (${columns.join(', ')}) VALUES (${places.join(', ')})
     ON CONFLICT (id) DO UPDATE SET ${assignments.join(', ')}`,
    columns.map((column) => key[column]),
  );
}

const COLUMNS = {
  id: true,
  version: true,
  sequence: true,
  change_id: true,
  hash: true,
  tenant: true,
  scopes: true,
  description: true,
  created_at: true,
  expires_at: true,
} as const satisfies Record<keyof StoredApiKey, true>;

/** Numbers a change of the key, and owes it to its topic. */
export async function announceApiKey(tx: Queryable, id: string): Promise<void> {
  const change = await nextChange(tx, API_KEYS_TOPIC, id);
  const [key] = await tx.query<StoredApiKey>(
    'UPDATE api_keys SET sequence = $2, change_id = $3 WHERE id = $1 RETURNING *',
    [id, change.sequence, change.id],
  );
  if (key !== undefined) await owe(tx, [apiKeyOutRecord(key)]);
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

/** Those of these that exist. */
export async function apiKeysByIds(db: Queryable, ids: readonly string[]): Promise<StoredApiKey[]> {
  return db.query<StoredApiKey>('SELECT * FROM api_keys WHERE id = ANY($1)', [ids]);
}

/** A key's record, with every column: from it `npm run reconcile` makes the row again. */
export function apiKeyOutRecord(key: StoredApiKey): OutRecord {
  const { id, version, sequence, hash, tenant, scopes, expires_at, description, created_at } = key;
  const record: ApiKeyCopy = {
    v: 1,
    id,
    version,
    hash,
    tenant,
    scopes,
    expires_at: expires_at?.getTime() ?? null,
    copy: { description, created_at: created_at.getTime() },
  };
  const headers = { [CHANGE_HEADER]: encodeChange({ sequence, id: key.change_id, version }) };
  return { topic: API_KEYS_TOPIC, key: id, value: JSON.stringify(record), headers };
}
