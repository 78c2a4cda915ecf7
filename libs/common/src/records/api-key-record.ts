import { z } from 'zod';

export const API_SCOPES = ['admin', 'read', 'write'] as const;

/** What checking a key needs, as it travels on the compacted `api-keys` topic. Never the key itself. */
export const apiKeyRecordSchema = z.object({
  v: z.literal(1),
  id: z.string(),
  version: z.number(),
  /** SHA-256 of the whole key, hex. */
  hash: z.string(),
  /** The tenant the key acts for; null for an admin key, which may name any. */
  tenant: z.string().nullable(),
  scopes: z.array(z.enum(API_SCOPES)),
  /** ms since the epoch; null for never. */
  expires_at: z.number().nullable(),
});

export type ApiKeyRecord = z.infer<typeof apiKeyRecordSchema>;
