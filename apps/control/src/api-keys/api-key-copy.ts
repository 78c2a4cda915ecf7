import { z } from 'zod';
import { apiKeyRecordSchema } from '#common/records/api-key-record.js';

/** An API key's record with what only its row has otherwise. Records of earlier releases have no `copy`. */
export const apiKeyCopySchema = apiKeyRecordSchema.extend({
  copy: z.object({ description: z.string().nullable(), created_at: z.number() }).optional(),
});
export type ApiKeyCopy = z.infer<typeof apiKeyCopySchema>;
