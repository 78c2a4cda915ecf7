import { z } from 'zod';
import { endpointRecordSchema } from '#common/records/endpoint-record.js';
import type { StoredEndpoint } from './endpoint.js';

const moment = z.number().describe('ms since the epoch');

/**
 * An endpoint's record with every column that cannot be derived from the rest: from it `npm run reconcile` makes the row
 * again. The other apps do not read `copy`; records of earlier releases have none.
 */
export const endpointCopySchema = endpointRecordSchema.extend({
  secrets: z.array(z.object({ sealed: z.string(), expires_at: z.number().nullable(), created_at: moment.optional() })),
  copy: z
    .object({
      description: z.string().nullable(),
      header_names: z.array(z.string()),
      disabled_reason: z.enum(['gone', 'operator']).nullable(),
      disabled_at: moment.nullable(),
      paused_at: moment.nullable(),
      breaker_threshold: z.number(),
      breaker_cooldown_s: z.number(),
      breaker_max_cooldown_s: z.number(),
      created_at: moment,
      updated_at: moment,
    })
    .optional(),
});
export type EndpointCopy = z.infer<typeof endpointCopySchema>;

/** The part of a record that only control reads. */
export function copyOf(endpoint: StoredEndpoint): NonNullable<EndpointCopy['copy']> {
  const { description, header_names, disabled_reason, breaker_threshold } = endpoint;
  const { breaker_cooldown_s, breaker_max_cooldown_s } = endpoint;
  return {
    description,
    header_names,
    disabled_reason,
    disabled_at: endpoint.disabled_at?.getTime() ?? null,
    paused_at: endpoint.paused_at?.getTime() ?? null,
    breaker_threshold,
    breaker_cooldown_s,
    breaker_max_cooldown_s,
    created_at: endpoint.created_at.getTime(),
    updated_at: endpoint.updated_at.getTime(),
  };
}
