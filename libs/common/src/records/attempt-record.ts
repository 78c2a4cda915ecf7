import { z } from 'zod';
import { ATTEMPT_ERRORS, DEAD_REASONS } from '../domain/verdict.js';

/** One attempt's outcome, as the dispatcher tells it. Times in ms since the epoch. */
export const attemptRecordSchema = z.object({
  v: z.literal(1),
  delivery_id: z.string(),
  event_id: z.string(),
  endpoint_id: z.string(),
  tenant: z.string(),
  event_type: z.string(),
  lane: z.string(),
  accepted_at: z.number(),
  replay: z.number(),
  /** 1-based number of this attempt in this life. */
  attempt: z.number(),
  at: z.number(),
  duration_ms: z.number(),
  status_code: z.number().nullable(),
  error: z.enum(ATTEMPT_ERRORS).nullable(),
  error_detail: z.string().nullable(),
  outcome: z.enum(['delivered', 'retry', 'dead']),
  dead_reason: z.enum(DEAD_REASONS).nullable(),
  /** True for a 410: the endpoint asked to be left alone. */
  gone: z.boolean(),
  next_attempt_at: z.number().nullable(),
  /** First bytes of the answer, base64; null when there was none. */
  response_body: z.string().nullable(),
});

export type AttemptRecord = z.infer<typeof attemptRecordSchema>;
