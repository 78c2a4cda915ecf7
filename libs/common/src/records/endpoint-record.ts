import { z } from 'zod';
import { BREAKER_MODES, BREAKER_STATES } from '../domain/breaker.js';
import { TENANT_PATTERN } from '../domain/identifiers.js';
import { ORDERINGS } from '../domain/lane.js';
import { JITTERS, MAX_DELAY_MS } from '../domain/retry-policy.js';
import { configurationOf } from './configuration-record.js';
import { ENDPOINT_ID_PATTERN, MAX_INT, MAX_TIME_MS } from './limits.js';

/** Looks at the length first: to check an item costs more than to have read it. */
const shortList = <Item extends z.ZodType>(item: Item) =>
  z
    .custom<unknown[]>((list) => Array.isArray(list) && list.length <= MAX_LIST, 'must be a short list')
    .pipe(z.array(item));

const MAX_LIST = 1_000;
const MAX_NAME_LENGTH = 256;
const MAX_URL_LENGTH = 8_192;
const MAX_TIMEOUT_MS = 600_000;
const MAX_IN_FLIGHT = 10_000;
const MAX_PER_SECOND = 1_000_000;
const LEAST_PER_SECOND = 0.001;
/** `token` of RFC 9110. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~\w-]{1,128}$/;

/**
 * An endpoint's current configuration, as it travels on the compacted `endpoints` topic. `version` grows with every
 * change of the endpoint; a reader keeps the highest. Secrets and static headers are sealed (security/sealing.ts).
 *
 * The bounds are wider than those of the API. They keep what anybody may write to the topic from harming a reader.
 */
export const endpointRecordSchema = z.object({
  v: z.literal(1),
  id: z.string().regex(ENDPOINT_ID_PATTERN),
  version: z.int().min(0).max(MAX_INT),
  tenant: z.string().regex(TENANT_PATTERN),
  url: z.string().max(MAX_URL_LENGTH),
  event_types: shortList(z.string().max(MAX_NAME_LENGTH)),
  ordering: z.enum(ORDERINGS),
  retry_policy: z.object({
    delaysMs: shortList(z.number().min(0).max(MAX_DELAY_MS)),
    jitter: z.enum(JITTERS),
    capMs: z.number().min(0).max(MAX_DELAY_MS).optional(),
    permanentStatuses: shortList(z.number()),
  }),
  payload: z.enum(['full', 'thin']),
  timeout_ms: z.number().min(1).max(MAX_TIMEOUT_MS),
  max_in_flight: z.int().min(1).max(MAX_IN_FLIGHT),
  /** Name of the additional `t=,v1=` header, if the endpoint wants one. */
  signature_header: z.string().regex(HEADER_NAME).nullable(),
  /** Newest first; `expires_at` in ms since the epoch, null for the current one. */
  secrets: shortList(z.object({ sealed: z.string(), expires_at: z.number().min(0).max(MAX_TIME_MS).nullable() })),
  headers_sealed: z.string().nullable(),
  /** A disabled endpoint takes no new events, and what still comes for it is dead: `invalid_endpoint`. */
  enabled: z.boolean(),
  /** An operator's pause: deliveries are parked until it ends. */
  paused: z.boolean().default(false),
  /** While it is not closed nothing is sent but one probe at a time; see docs/ordering.md. */
  breaker: z.enum(BREAKER_STATES).default('closed'),
  breaker_mode: z.enum(BREAKER_MODES).default('automatic'),
  /** Most attempts a second, over all dispatchers; null for no limit. */
  max_per_second: z.number().min(LEAST_PER_SECOND).max(MAX_PER_SECOND).nullable().default(null),
  /** Parked deliveries older, or more than this are given up as `expired`, oldest first. */
  max_parked_age_s: z
    .int()
    .min(0)
    .max(MAX_INT)
    .default(7 * 86_400),
  max_parked: z.int().min(0).max(MAX_INT).default(1_000_000),
});

export type EndpointRecord = z.infer<typeof endpointRecordSchema>;

/** @throws Error saying why, when the value is no configuration of this endpoint */
export function readEndpoint(id: string, value: Buffer): EndpointRecord {
  return configurationOf(endpointRecordSchema, id, value);
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
