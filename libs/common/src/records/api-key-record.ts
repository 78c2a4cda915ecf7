import { z } from 'zod';
import { TENANT_PATTERN } from '../domain/identifiers.js';
import { configurationOf } from './configuration-record.js';
import { MAX_TIME_MS, MAX_VERSION } from './limits.js';

export const API_SCOPES = ['admin', 'read', 'write'] as const;

/** More than there are. */
const MAX_SCOPES = 16;

/** The record of a key in the compacted topic `api-keys`: its hash and its rights, never the key itself. */
export const apiKeyRecordSchema = z.object({
  v: z.literal(1),
  id: z.string().regex(/^[\w-]{1,64}$/),
  version: z.int().min(0).max(MAX_VERSION),
  /** SHA-256 of the whole key, hex. */
  hash: z.string().regex(/^[\da-f]{64}$/),
  /** The tenant the key acts for; null for an admin key, which may name any. */
  tenant: z.string().regex(TENANT_PATTERN).nullable(),
  scopes: z.array(z.enum(API_SCOPES)).max(MAX_SCOPES),
  /** ms since the epoch; null for never. */
  expires_at: z.number().min(0).max(MAX_TIME_MS).nullable(),
});

export type ApiKeyRecord = z.infer<typeof apiKeyRecordSchema>;

/** @throws Error saying why, when the value is no record of this API key */
export function readApiKey(id: string, value: Buffer): ApiKeyRecord {
  return configurationOf(apiKeyRecordSchema, id, value);
}
