import { z } from 'zod';
import { MAX_OFFSET } from '../domain/position.js';
import { MAX_CONFIGURATION_BYTES, MAX_INT, MAX_MARKED_GENERATION } from './limits.js';
import { MARKER_PREFIX } from './marker.js';
import { ENDPOINTS_TOPIC } from './topics.js';

const GENERATION_PREFIX = `${MARKER_PREFIX}generation:`;

const lostTailSchema = z.object({
  partition: z.int().min(0).max(MAX_INT),
  /** Records from here on are of the tail's generation. */
  from_offset: z.int().min(0).max(MAX_OFFSET),
  generation: z.int().min(1).max(MAX_MARKED_GENERATION),
  /** Highest leader epoch of the records read before; null when unknown. */
  leader_epoch: z.int().min(0).max(MAX_INT).nullable(),
});
export type LostTailRecord = Readonly<z.infer<typeof lostTailSchema>>;

/** Marker in `endpoints`: the latest generation of a topic. */
const generationRecordSchema = z.object({
  v: z.literal(1),
  /** Without prefix. */
  topic: z.string(),
  /** Kafka's topic id, base64url; empty when the broker has none. */
  topic_id: z.string(),
  partitions: z.int().min(1).max(MAX_INT),
  /** Of the log, counted from 0. */
  generation: z.int().min(0).max(MAX_MARKED_GENERATION),
  /** Generations that begin within this log. Earlier releases write none. */
  lost_tails: z.array(lostTailSchema).optional(),
});
export type GenerationRecord = Readonly<z.infer<typeof generationRecordSchema>>;

/** @throws Error when the value is no marker of this key, or has a number out of range */
export function readGeneration(key: string, value: Buffer): GenerationRecord {
  if (value.length > MAX_CONFIGURATION_BYTES) throw new Error(`it has ${value.length} bytes`);
  const record = generationRecordSchema.parse(JSON.parse(value.toString()));
  if (GENERATION_PREFIX + record.topic !== key) throw new Error('its topic is not the one of its key');
  return record;
}

/** Whether readers take the marker: generations above the range of markers have none. */
export function isMarkable(record: GenerationRecord): boolean {
  return highestGeneration(record) <= MAX_MARKED_GENERATION;
}

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
