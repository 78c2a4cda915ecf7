import { z } from 'zod';
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
});

export type EndpointRecord = z.infer<typeof endpointRecordSchema>;
