import { z } from 'zod';
import { MARKER_PREFIX } from './marker.js';
import { ENDPOINTS_TOPIC } from './topics.js';

const GENERATION_PREFIX = `${MARKER_PREFIX}generation:`;

const lostTailSchema = z.object({
  partition: z.number().int().nonnegative(),
  /** Records from here on are of the tail's generation. */
  from_offset: z.number().int().nonnegative(),
  generation: z.number().int().positive(),
  /** Highest leader epoch of what was read before; null when it is not known. */
  leader_epoch: z.number().int().nonnegative().nullable(),
});
export type LostTailRecord = Readonly<z.infer<typeof lostTailSchema>>;

/** Marker in `endpoints`: the latest generation of a topic. */
export const generationRecordSchema = z.object({
  v: z.literal(1),
  /** Without prefix. */
  topic: z.string(),
  /** Kafka's topic id, base64url; empty when the broker has none. */
  topic_id: z.string(),
  partitions: z.number().int().positive(),
  /** Of the log, counted from 0. */
  generation: z.number().int().nonnegative(),
  /** Generations that begin within this log. Earlier releases write none. */
  lost_tails: z.array(lostTailSchema).optional(),
});
export type GenerationRecord = Readonly<z.infer<typeof generationRecordSchema>>;

/** The highest generation of a topic, of its latest log and the tails that log lost. */
export function highestGeneration({ generation, lost_tails = [] }: GenerationRecord): number {
  return Math.max(generation, ...lost_tails.map((tail) => tail.generation));
}

export function isGenerationKey(key: string): boolean {
  return key.startsWith(GENERATION_PREFIX);
}

export function generationOutRecord(record: GenerationRecord): { topic: string; key: string; value: string } {
  return { topic: ENDPOINTS_TOPIC, key: GENERATION_PREFIX + record.topic, value: JSON.stringify(record) };
}
