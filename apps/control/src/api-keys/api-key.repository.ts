import type { Queryable } from '#common/postgres/database.js';
import { ApiKeyEntity, type StoredApiKey } from '#common/postgres/entities/api-key.js';
import { repositoryOf } from '#common/postgres/repositories.js';
import { CHANGE_HEADER, type ChangeNumber, encodeChange, nextVersion } from '#common/records/configuration-change.js';
import { MAX_VERSION } from '#common/records/limits.js';
import type { OutRecord } from '#common/records/record.js';
import { API_KEYS_TOPIC } from '#common/records/topics.js';
import { nextChange } from '../changes/changes.js';
import { tombstone } from '../changes/tombstone.js';
import { enqueueOutbox } from '../outbox/outbox.js';
import type { Position } from '../shared/paging.js';
import type { ApiKeyCopy } from './api-key-copy.js';

/** Stores a key, and enqueues its record. @returns undefined when a key with this id exists; that key stays */
export async function insertApiKey(
  tx: Queryable,
  key: Omit<StoredApiKey, 'version' | 'sequence' | 'change_id' | 'created_at'>,
): Promise<StoredApiKey | undefined> {
  const apiKeys = repositoryOf(tx, ApiKeyEntity);
  if (await apiKeys.existsBy({ id: key.id })) return undefined;
  const change = await nextChange(tx, API_KEYS_TOPIC, key.id);
  // The version is the sequence: above that of every key, and every deletion of one, that had this id before.
  const numbered = { ...key, version: firstVersion(change), sequence: change.sequence, change_id: change.id };
  const insert = apiKeys.createQueryBuilder().insert().values(numbered).orIgnore().returning('*');
  const [stored]: StoredApiKey[] = (await insert.execute()).raw;
  if (stored !== undefined) await enqueueOutbox(tx, [apiKeyOutRecord(stored)]);
  return stored;
}

/** Removes a key, and enqueues its tombstone. @param tenant undefined for any @returns undefined when there is none */
export async function deleteApiKey(
  tx: Queryable,
  id: string,
  tenant: string | undefined,
): Promise<StoredApiKey | undefined> {
  const where = tenant === undefined ? { id } : { id, tenant };
  const removal = repositoryOf(tx, ApiKeyEntity).createQueryBuilder().delete().where(where).returning('*');
  const [key]: StoredApiKey[] = (await removal.execute()).raw;
  if (key === undefined) return undefined;
  const change = await nextChange(tx, API_KEYS_TOPIC, id);
  const version = Math.max(firstVersion(change), nextVersion(key.version));
  await enqueueOutbox(tx, [tombstone(API_KEYS_TOPIC, id, { ...change, version })]);
  return key;
}

function firstVersion({ sequence }: ChangeNumber): number {
  return Math.min(sequence, MAX_VERSION);
}

/** Stores the key as given, with its version, and replaces a key with the same id. */
export async function replaceApiKey(tx: Queryable, key: StoredApiKey): Promise<void> {
  await repositoryOf(tx, ApiKeyEntity).upsert(key, ['id']);
}

/** Deletes the row alone: its topic has no record of it. */
export async function removeApiKey(tx: Queryable, id: string): Promise<void> {
  await repositoryOf(tx, ApiKeyEntity).delete({ id });
}

/** Numbers a change of the key, and enqueues its record. */
export async function announceApiKey(tx: Queryable, id: string): Promise<void> {
  const change = await nextChange(tx, API_KEYS_TOPIC, id);
  const apiKeys = repositoryOf(tx, ApiKeyEntity);
  await apiKeys.update({ id }, { sequence: change.sequence, change_id: change.id });
  const key = await apiKeys.findOneBy({ id });
  if (key !== null) await enqueueOutbox(tx, [apiKeyOutRecord(key)]);
}

/**
 * Ids of the keys that may still manage all keys. They stay locked until the transaction ends: of two requests that
 * revoke the last two of them, one waits and then sees the other's change.
 */
export async function lockAdminKeys(tx: Queryable): Promise<string[]> {
  const keys = await repositoryOf(tx, ApiKeyEntity)
    .createQueryBuilder('key')
    .where(`key.tenant IS NULL AND 'admin' = ANY(key.scopes) AND (key.expires_at IS NULL OR key.expires_at > now())`)
    .orderBy('key.id')
    .setLock('pessimistic_write')
    .getMany();
  return keys.map(({ id }) => id);
}

/** Newest first, up to `limit`. */
export async function listApiKeys(
  db: Queryable,
  { tenant, before, limit }: { tenant: string | undefined; before: Position | undefined; limit: number },
): Promise<StoredApiKey[]> {
  const keys = repositoryOf(db, ApiKeyEntity).createQueryBuilder('key');
  if (tenant !== undefined) keys.andWhere('key.tenant = :tenant', { tenant });
  if (before !== undefined) {
    keys.andWhere('(key.created_at, key.id) < (:at, :id)', { at: before.at, id: before.key[0] });
  }
  return keys.orderBy('key.created_at', 'DESC').addOrderBy('key.id', 'DESC').limit(limit).getMany();
}

/** Those of these that exist. */
export async function apiKeysByIds(db: Queryable, ids: readonly string[]): Promise<StoredApiKey[]> {
  return repositoryOf(db, ApiKeyEntity).createQueryBuilder('key').where('key.id = ANY(:ids)', { ids }).getMany();
}

/** @returns undefined when there is none */
export async function findApiKey(db: Queryable, id: string): Promise<StoredApiKey | undefined> {
  return (await repositoryOf(db, ApiKeyEntity).findOneBy({ id })) ?? undefined;
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
