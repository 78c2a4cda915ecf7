import type { OutRecord } from '#common/kafka/record.js';
import type { Queryable } from '#common/postgres/database.js';
import { latestGenerations } from '#common/postgres/generation-store.js';
import { generationOutRecord } from '#common/records/generation-record.js';
import { apiKeyOutRecord, apiKeysAfter } from '../api-keys/api-key.repository.js';
import { endpointsAfter } from '../endpoints/endpoint.repository.js';
import { endpointOutRecord } from '../endpoints/endpoint-announcement.js';

/** Every endpoint, marker and API key as it is now, ready to publish, in pages. */
export async function* configurationPages(db: Queryable, pageSize: number): AsyncGenerator<OutRecord[]> {
  yield await generationMarkers(db);
  yield* pages((after) => endpointsAfter(db, after, pageSize), endpointOutRecord);
  yield* pages((after) => apiKeysAfter(db, after, pageSize), apiKeyOutRecord);
}

async function* pages<Row extends { readonly id: string }>(
  read: (after: string) => Promise<Row[]>,
  toRecord: (row: Row) => OutRecord,
): AsyncGenerator<OutRecord[]> {
  for (let after = ''; ; ) {
    const rows = await read(after);
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows.map(toRecord);
    after = last.id;
  }
}

/** The latest generation of each topic that Kafka had when it was registered. */
async function generationMarkers(db: Queryable): Promise<OutRecord[]> {
  const latest = await latestGenerations(db);
  return latest.flatMap(({ topic, generation, topicId, partitions }) => {
    if (topicId === null || partitions === null) return [];
    return [generationOutRecord({ v: 1, topic, topic_id: topicId, partitions, generation })];
  });
}
