import { z } from 'zod';
import { time } from '#common/http/validation.js';
import { API_SCOPES } from '#common/records/api-key-record.js';
import { line } from '#common/records/text-line.js';
import { pageOf, pageQuery } from '../shared/paging.js';
import { tenantSchema } from '../shared/request-schemas.js';

const scopes = z.array(z.enum(API_SCOPES)).min(1).max(API_SCOPES.length);

export const apiKeyCreateSchema = z.strictObject({
  tenant: tenantSchema
    .nullable()
    .optional()
    .describe(
      "whom the key acts for; left out, the creating key's own tenant, else `default`. null, which only an admin key of all tenants may say: all",
    ),
  scopes: scopes.describe('`admin` includes the others and lets the key manage keys'),
  description: line(1_000).nullable().default(null),
  expires_at: time()
    .refine((text) => Date.parse(text) > Date.now(), { error: 'must be in the future' })
    .nullable()
    .default(null),
});
export type ApiKeyCreate = z.infer<typeof apiKeyCreateSchema>;

export const apiKeySchema = z
  .object({
    id: z.string(),
    tenant: z.string().nullable(),
    scopes,
    description: z.string().nullable(),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'ApiKey' });
export type ShownApiKey = z.infer<typeof apiKeySchema>;

export const apiKeyWithTextSchema = apiKeySchema
  .extend({ key: z.string().describe('`ph_…`; shown this once') })
  .meta({ id: 'ApiKeyWithText' });
export const apiKeyPageSchema = pageOf(apiKeySchema);
export const apiKeyListQuery = z.strictObject({ tenant: tenantSchema.optional(), ...pageQuery });
