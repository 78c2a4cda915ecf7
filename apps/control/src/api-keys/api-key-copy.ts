import { z } from 'zod';
import { apiKeyRecordSchema } from '#common/records/api-key-record.js';
import { MAX_TIME_MS } from '#common/records/limits.js';

/** An API key's record with the further columns of its row. Records of earlier releases have no `copy`. */
export const apiKeyCopySchema = apiKeyRecordSchema.extend({
  copy: z.object({ description: z.string().nullable(), created_at: z.number().min(0).max(MAX_TIME_MS) }).optional(),
});
export type ApiKeyCopy = z.infer<typeof apiKeyCopySchema>;
