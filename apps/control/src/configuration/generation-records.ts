import type { GenerationMarkers } from '#common/generations/generation-markers.js';
import type { Queryable } from '#common/postgres/database.js';
import { latestGenerations } from '#common/postgres/generation-store.js';
import { lostTails, toRecord } from '#common/postgres/lost-tail-store.js';
import {
  type GenerationRecord,
  generationOutRecord,
  highestGeneration,
  isMarkable,
} from '#common/records/generation-record.js';
import type { OutRecord } from '#common/records/record.js';

/**
 * The marker of each topic's latest generation. A generation without a known log has none, and a marker that names a higher
 * generation stays: the database was restored.
 */
export async function generationMarkers(db: Queryable, known: GenerationMarkers): Promise<OutRecord[]> {
  const markers: OutRecord[] = [];
  for (const log of await latestGenerations(db)) {
    const { topic, generation, topicId, partitions } = log;
    if (topicId === null || partitions === null) continue;
    const lost_tails = (await lostTails(db, log)).map(toRecord);
    const marker: GenerationRecord = { v: 1, topic, topic_id: topicId, partitions, generation, lost_tails };
    if (isMarkable(marker) && known.highestOf(topic) <= highestGeneration(marker))
      markers.push(generationOutRecord(marker));
  }
  return markers;
}
