import { z } from 'zod';
import { ORDERINGS } from '#common/domain/lane.js';
import { SUBSCRIPTION_PATTERN } from '#common/domain/subscription.js';
import { RESERVED_HEADERS } from '#common/http/message.js';
import { line } from '#common/http/validation.js';
import { pageOf, pageQuery } from '../shared/paging.js';
import { tenantSchema } from '../shared/request-schemas.js';
import { limitFields, shownLimitFields } from './endpoint-limits.js';
import { retryPolicyFormSchema, shownRetryPolicySchema } from './retry-policy-form.js';

/** `token` of RFC 9110. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
const HEADER_VALUE = /^[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?$/;
const MAX_HEADERS = 20;
const MAX_HEADER_VALUE = 2_048;
const DAY_S = 86_400;

const headerName = z
  .string()
  .regex(HEADER_NAME, { error: 'must be an HTTP header name' })
  .refine((name) => !isReserved(name), { error: 'is reserved: Posthorn or HTTP itself sets it' });

const headers = z
  .record(headerName, z.string().max(MAX_HEADER_VALUE).regex(HEADER_VALUE, { error: 'must be an HTTP header value' }))
  .refine((map) => Object.keys(map).length <= MAX_HEADERS, { error: `must have at most ${MAX_HEADERS} headers` })
  .refine((map) => new Set(Object.keys(map).map((name) => name.toLowerCase())).size === Object.keys(map).length, {
    error: 'must not name a header twice',
  })
  .describe('sent with every attempt; stored sealed, only their names are shown');

function isReserved(name: string): boolean {
  const lower = name.toLowerCase();
  return RESERVED_HEADERS.has(lower) || lower.startsWith('webhook-');
}

const fields = {
  url: z.string().min(1).describe('https, unless this system allows http; judged again at each connection'),
  event_types: z
    .array(z.string().max(256).regex(SUBSCRIPTION_PATTERN, { error: 'must be an event type, `name.*` or `*`' }))
    .min(1)
    .max(100)
    .describe('exact types, or wildcards: `invoice.*`, `*`'),
  ordering: z.enum(ORDERINGS).describe('what deliveries keep their order by'),
  retry_policy: retryPolicyFormSchema,
  payload: z.enum(['full', 'thin']).describe('thin leaves `data` out, for receivers that fetch fresh state'),
  headers,
  timeout_ms: z.number().int().min(1_000).max(30_000).describe('for one whole attempt, from connect to last body byte'),
  max_in_flight: z.number().int().min(1).max(256).describe('most attempts at once, of each dispatcher'),
  signature_header: headerName.nullable().describe('name of an additional `t=…,v1=…` signature header'),
  description: line(1_000).nullable(),
};

const noHeaderTwice = {
  error: 'must not be one of the static headers',
  path: ['signature_header'],
};

/** What an endpoint is created from. */
export const endpointCreateSchema = z
  .strictObject({
    url: fields.url,
    event_types: fields.event_types,
    tenant: tenantSchema.optional().describe("for an admin key; else the key's own, or `default`"),
    ordering: fields.ordering.default('resource'),
    retry_policy: fields.retry_policy.default({ preset: 'quick' }),
    payload: fields.payload.default('full'),
    headers: fields.headers.default({}),
    timeout_ms: fields.timeout_ms.default(10_000),
    max_in_flight: fields.max_in_flight.default(32),
    signature_header: fields.signature_header.default(null),
    description: fields.description.default(null),
    ...limitFields,
  })
  .refine(({ headers, signature_header }) => !collides(headers, signature_header), noHeaderTwice);
export type EndpointCreate = z.infer<typeof endpointCreateSchema>;

/** What may be changed; what is left out stays. */
export const endpointPatchSchema = z
  .strictObject({
    ...fields,
    ...limitFields,
    enabled: z.boolean().describe('false: takes no events; true: takes them again'),
  })
  .partial();
export type EndpointPatch = z.infer<typeof endpointPatchSchema>;

/** Whether the extra signature would overwrite a static header. */
export function collides(headers: Readonly<Record<string, string>>, signatureHeader: string | null): boolean {
  return Object.keys(headers).some((name) => name.toLowerCase() === signatureHeader?.toLowerCase());
}

export const rotateSchema = z
  .strictObject({
    overlap_s: z
      .number()
      .int()
      .min(0)
      .max(30 * DAY_S)
      .default(DAY_S)
      .describe(
        'how long the present secret stays valid beside the new one; older ones keep their own end. 0, for a secret that leaked, ends them all at once',
      ),
  })
  .prefault({});

const moment = z.iso.datetime();

const shownSecret = z.object({
  created_at: moment,
  age_days: z.number().describe('whole days; secrets want rotating after 90'),
  expires_at: moment.nullable().describe('null for the current one'),
});

export const endpointSchema = z
  .object({
    id: z.string(),
    tenant: z.string(),
    url: z.string(),
    event_types: z.array(z.string()),
    ordering: z.enum(ORDERINGS),
    retry_policy: shownRetryPolicySchema,
    payload: z.enum(['full', 'thin']),
    header_names: z.array(z.string()),
    timeout_ms: z.number(),
    max_in_flight: z.number(),
    signature_header: z.string().nullable(),
    description: z.string().nullable(),
    ...shownLimitFields,
    status: z.enum(['active', 'disabled']),
    disabled_reason: z.enum(['gone', 'operator']).nullable().describe('gone: the endpoint answered 410'),
    disabled_at: moment.nullable(),
    secrets: z.array(shownSecret).describe('newest first; several are valid while a secret is rotated'),
    created_at: moment,
    updated_at: moment,
  })
  .meta({ id: 'Endpoint' });
export type ShownEndpoint = z.infer<typeof endpointSchema>;

const secret = z.string().describe('`whsec_…`; shown this once');
export const endpointWithSecretSchema = endpointSchema.extend({ secret }).meta({ id: 'EndpointWithSecret' });
export const endpointPageSchema = pageOf(endpointSchema);
export const endpointListQuery = z.strictObject({ tenant: tenantSchema.optional(), ...pageQuery });
export const testResultSchema = z.object({ event_id: z.string(), delivery_id: z.string() });
