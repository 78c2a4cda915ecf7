import type { Queryable } from '#common/postgres/database.js';
import { API_KEYS_TOPIC, ENDPOINTS_TOPIC } from '#common/records/topics.js';
import { apiKeysByIds, removeApiKey, replaceApiKey } from '../api-keys/api-key.repository.js';
import { apiKeyCopySchema } from '../api-keys/api-key-copy.js';
import { restoreBreaker } from '../breakers/breaker-store.js';
import type { ConfigurationTopic } from '../changes/configuration-topics.js';
import { deleteEndpoint, endpointsByIds, replaceEndpoint } from '../endpoints/endpoint.repository.js';
import { endpointCopySchema } from '../endpoints/endpoint-copy.js';
import { apiKeyOf, endpointOf } from './copies.js';
import type { RowCopy } from './differences.js';
import { rowPages, TABLES } from './rows.js';
import type { CopiedRecord } from './topic-copy.js';

/** Schemas without the columns that a record lacks. */
const SCHEMAS = { [ENDPOINTS_TOPIC]: endpointCopySchema, [API_KEYS_TOPIC]: apiKeyCopySchema } as const;

/** All rows behind a topic, as the values of their records. */
export async function rowCopies(db: Queryable, topic: ConfigurationTopic): Promise<Map<string, RowCopy>> {
  const copies = new Map<string, RowCopy>();
  for await (const rows of rowPages(db, topic)) {
    const records = await TABLES[topic].recordsOf(
      db,
      rows.map(({ id }) => id),
    );
    for (const { key, value } of records) {
      const parsed = SCHEMAS[topic].parse(JSON.parse(String(value)));
      copies.set(String(key), { version: parsed.version, value: parsed });
    }
  }
  return copies;
}

export async function removeRow(tx: Queryable, topic: ConfigurationTopic, key: string): Promise<void> {
  if (topic === ENDPOINTS_TOPIC) await deleteEndpoint(tx, key);
  else await removeApiKey(tx, key);
}

/**
 * Writes the row from the record.
 *
 * @returns columns that the record lacks
 */
export async function restoreRow(
  tx: Queryable,
  topic: ConfigurationTopic,
  { key, record, isDryRun }: { key: string; record: CopiedRecord; isDryRun: boolean },
): Promise<readonly string[]> {
  if (topic === API_KEYS_TOPIC) {
    const [present] = await apiKeysByIds(tx, [key]);
    const { row, unknown } = apiKeyOf(apiKeyCopySchema.parse(record.value), record.change, present);
    if (!isDryRun) await replaceApiKey(tx, row);
    return unknown;
  }
  const [present] = await endpointsByIds(tx, [key]);
  const { row, unknown } = endpointOf(endpointCopySchema.parse(record.value), record.change, present);
  if (isDryRun) return unknown;
  await replaceEndpoint(tx, row);
  await restoreBreaker(tx, row);
  return unknown;
}
