import { z } from 'zod';
import { ENDPOINTS_TOPIC } from './topics.js';

/** Keys of compacted topics that begin so are markers of the system itself: no endpoints, no API keys. */
export const MARKER_PREFIX = 'posthorn:';

const GENERATION_PREFIX = `${MARKER_PREFIX}generation:`;

export function isMarker(key: string): boolean {
  return key.startsWith(MARKER_PREFIX);
}

/** Marker in `endpoints`: the latest generation of a topic. */
export const generationRecordSchema = z.object({
  v: z.literal(1),
  /** Without prefix. */
  topic: z.string(),
  /** Kafka's topic id, base64url; empty when the broker has none. */
  topic_id: z.string(),
  partitions: z.number().int().positive(),
  /** Counted from 0. */
  generation: z.number().int().nonnegative(),
});
export type GenerationRecord = Readonly<z.infer<typeof generationRecordSchema>>;

export function isGenerationKey(key: string): boolean {
  return key.startsWith(GENERATION_PREFIX);
}

export function generationOutRecord(record: GenerationRecord): { topic: string; key: string; value: string } {
  return { topic: ENDPOINTS_TOPIC, key: GENERATION_PREFIX + record.topic, value: JSON.stringify(record) };
}
