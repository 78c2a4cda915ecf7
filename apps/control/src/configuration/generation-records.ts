import type { OutRecord } from '#common/kafka/record.js';
import type { Queryable } from '#common/postgres/database.js';
import { latestGenerations } from '#common/postgres/generation-store.js';
import { generationOutRecord } from '#common/records/generation-record.js';

/** The marker of each topic's latest generation. A generation whose log nobody saw has none. */
export async function generationMarkers(db: Queryable): Promise<OutRecord[]> {
  const latest = await latestGenerations(db);
  return latest.flatMap(({ topic, generation, topicId, partitions }) => {
    if (topicId === null || partitions === null) return [];
    return [generationOutRecord({ v: 1, topic, topic_id: topicId, partitions, generation })];
  });
}
