import { z } from 'zod';
import { BREAKER_STATES } from '../domain/breaker.js';
import { TENANT_PATTERN } from '../domain/identifiers.js';
import { configurationOf } from './configuration-record.js';
import { absentOptions, recordShape } from './endpoint-option-shapes.js';
import {
  ATTEMPT_OPTIONS,
  BREAKER_OPTIONS,
  MESSAGE_OPTIONS,
  PARKING_OPTIONS,
  RATE_OPTIONS,
} from './endpoint-options.js';
import { ENDPOINT_ID_PATTERN, MAX_TIME_MS, MAX_VERSION } from './limits.js';
import { shortList } from './short-list.js';

/**
 * An endpoint's current configuration, as it travels on the compacted `endpoints` topic. `version` grows with every
 * change of the endpoint; a reader keeps the highest. Secrets and static headers are sealed (security/sealing.ts).
 *
 * The bounds are wider than those of the API. They protect readers from any record of the topic.
 */
export const endpointRecordSchema = z.object({
  v: z.literal(1),
  id: z.string().regex(ENDPOINT_ID_PATTERN),
  version: z.int().min(0).max(MAX_VERSION),
  tenant: z.string().regex(TENANT_PATTERN),
  ...recordShape(MESSAGE_OPTIONS),
  ...recordShape(ATTEMPT_OPTIONS),
  /** Newest first; `expires_at` in ms since the epoch, null for the current one. */
  secrets: shortList(z.object({ sealed: z.string(), expires_at: z.number().min(0).max(MAX_TIME_MS).nullable() })),
  headers_sealed: z.string().nullable(),
  /** A disabled endpoint takes no new events, and its remaining deliveries are dead: `invalid_endpoint`. */
  enabled: z.boolean(),
  /** An operator's pause: deliveries are parked until it ends. */
  paused: z.boolean().default(false),
  /** While it is not closed nothing is sent but one probe at a time; see docs/ordering.md. */
  breaker: z.enum(BREAKER_STATES).default('closed'),
  ...recordShape(BREAKER_OPTIONS),
  ...recordShape(RATE_OPTIONS),
  ...recordShape(PARKING_OPTIONS),
});

export type EndpointRecord = z.infer<typeof endpointRecordSchema>;

/** @throws Error saying why, when the value is no configuration of this endpoint */
export function readEndpoint(id: string, value: Buffer): EndpointRecord {
  return configurationOf(endpointRecordSchema, id, value);
}

/** The state of an endpoint that nothing holds and nothing limits. */
export const UNHELD = {
  paused: false,
  breaker: 'closed',
  ...absentOptions(),
} as const satisfies Partial<EndpointRecord>;
