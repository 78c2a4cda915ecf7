import { z } from 'zod';
import { BREAKER_STATES } from '#common/domain/breaker.js';
import {
  createForms,
  forms,
  optionalForms,
  shownShape,
  withinBreaker,
} from '#common/records/endpoint-option-shapes.js';
import {
  ATTEMPT_OPTIONS,
  BREAKER_OPTIONS,
  headerName,
  MESSAGE_OPTIONS,
  PARKING_OPTIONS,
  RATE_OPTIONS,
} from '#common/records/endpoint-options.js';
import { pageOf, pageQuery } from '../shared/paging.js';
import { tenantSchema } from '../shared/request-schemas.js';

const HEADER_VALUE = /^[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?$/;
const MAX_HEADERS = 20;
const MAX_HEADER_VALUE = 2_048;
const DAY_S = 86_400;

const headers = z
  .record(headerName, z.string().max(MAX_HEADER_VALUE).regex(HEADER_VALUE, { error: 'must be an HTTP header value' }))
  .refine((map) => Object.keys(map).length <= MAX_HEADERS, { error: `must have at most ${MAX_HEADERS} headers` })
  .refine((map) => new Set(Object.keys(map).map((name) => name.toLowerCase())).size === Object.keys(map).length, {
    error: 'must not name a header twice',
  })
  .describe('sent with every attempt; stored sealed, only their names are shown');

const noHeaderTwice = {
  error: 'must not be one of the static headers',
  path: ['signature_header'],
};

const breaker = z.strictObject(withinBreaker(forms(BREAKER_OPTIONS))).partial();
const { url, event_types, ...messageForms } = createForms(MESSAGE_OPTIONS);

/** Body of the request that creates an endpoint. Its options are in endpoint-options.ts. */
export const endpointCreateSchema = z
  .strictObject({
    url,
    event_types,
    tenant: tenantSchema.optional().describe("for an admin key; else the key's own, or `default`"),
    ...messageForms,
    headers: headers.default({}),
    ...createForms(ATTEMPT_OPTIONS),
    ...optionalForms(RATE_OPTIONS),
    breaker: breaker.optional(),
    ...optionalForms(PARKING_OPTIONS),
  })
  .refine((form) => !collides(form.headers, form.signature_header), noHeaderTwice);
export type EndpointCreate = z.infer<typeof endpointCreateSchema>;

/** Fields that may be changed; omitted ones stay. */
export const endpointPatchSchema = z
  .strictObject({
    ...forms(MESSAGE_OPTIONS),
    headers,
    ...forms(ATTEMPT_OPTIONS),
    ...optionalForms(RATE_OPTIONS),
    breaker,
    ...optionalForms(PARKING_OPTIONS),
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
    ...shownShape(MESSAGE_OPTIONS),
    header_names: z.array(z.string()),
    ...shownShape(ATTEMPT_OPTIONS),
    ...shownShape(RATE_OPTIONS),
    breaker: z.object({ state: z.enum(BREAKER_STATES), ...withinBreaker(shownShape(BREAKER_OPTIONS)) }),
    ...shownShape(PARKING_OPTIONS),
    paused_at: moment.nullable().describe('since when an operator holds its deliveries back'),
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
