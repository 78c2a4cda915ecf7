import { z } from 'zod';
import { BREAKER_MODES, BREAKER_STATES } from '../domain/breaker.js';
import { ORDERINGS } from '../domain/lane.js';
import { JITTERS } from '../domain/retry-policy.js';

/**
 * An endpoint's current configuration, as it travels on the compacted `endpoints` topic. `version` grows with every
 * change of the endpoint; a reader keeps the highest. Secrets and static headers are sealed (security/sealing.ts).
 */
export const endpointRecordSchema = z.object({
  v: z.literal(1),
  id: z.string(),
  version: z.number(),
  tenant: z.string(),
  url: z.string(),
  event_types: z.array(z.string()),
  ordering: z.enum(ORDERINGS),
  retry_policy: z.object({
    delaysMs: z.array(z.number()),
    jitter: z.enum(JITTERS),
    capMs: z.number().optional(),
    permanentStatuses: z.array(z.number()),
  }),
  payload: z.enum(['full', 'thin']),
  timeout_ms: z.number(),
  max_in_flight: z.number(),
  /** Name of the additional `t=,v1=` header, if the endpoint wants one. */
  signature_header: z.string().nullable(),
  /** Newest first; `expires_at` in ms since the epoch, null for the current one. */
  secrets: z.array(z.object({ sealed: z.string(), expires_at: z.number().nullable() })),
  headers_sealed: z.string().nullable(),
  /** A disabled endpoint takes no new events, and what still comes for it is dead: `invalid_endpoint`. */
  enabled: z.boolean(),
  /** An operator's pause: deliveries are parked until it ends. */
  paused: z.boolean().default(false),
  /** While it is not closed nothing is sent but one probe at a time; see docs/ordering.md. */
  breaker: z.enum(BREAKER_STATES).default('closed'),
  breaker_mode: z.enum(BREAKER_MODES).default('automatic'),
  /** Most attempts a second, over all dispatchers; null for no limit. */
  max_per_second: z.number().nullable().default(null),
  /** Parked deliveries older, or more than this are given up as `expired`, oldest first. */
  max_parked_age_s: z.number().default(7 * 86_400),
  max_parked: z.number().default(1_000_000),
});

export type EndpointRecord = z.infer<typeof endpointRecordSchema>;

/**
 * Reads the value of a record.
 *
 * @param key the record's
 * @throws when it is not understood, or of another endpoint
 */
export function endpointRecordOf(key: string, value: Buffer): EndpointRecord {
  const record = endpointRecordSchema.parse(JSON.parse(value.toString()));
  if (record.id !== key) throw new Error('the record is of another endpoint');
  return record;
}

/** What an endpoint is like that nobody holds and nobody limits. */
export const UNHELD = {
  paused: false,
  breaker: 'closed',
  breaker_mode: 'automatic',
  max_per_second: null,
  max_parked_age_s: 7 * 86_400,
  max_parked: 1_000_000,
} as const satisfies Partial<EndpointRecord>;
