import { z } from 'zod';
import { copyShape, unannounced } from '#common/records/endpoint-option-shapes.js';
import {
  ATTEMPT_OPTIONS,
  BREAKER_OPTIONS,
  MESSAGE_OPTIONS,
  PARKING_OPTIONS,
  RATE_OPTIONS,
} from '#common/records/endpoint-options.js';
import { endpointRecordSchema } from '#common/records/endpoint-record.js';
import { MAX_TIME_MS } from '#common/records/limits.js';
import type { StoredEndpoint } from './endpoint.js';

/** All but those of the breaker, which stand behind the times. */
const OWN_OPTIONS = { ...MESSAGE_OPTIONS, ...ATTEMPT_OPTIONS, ...RATE_OPTIONS, ...PARKING_OPTIONS } as const;

const moment = z.number().min(0).max(MAX_TIME_MS).describe('ms since the epoch');

/**
 * An endpoint's record with every column that cannot be derived from the rest: from it `npm run reconcile` makes the row
 * again. The other apps do not read `copy`; records of earlier releases have none.
 */
export const endpointCopySchema = endpointRecordSchema.extend({
  secrets: z.array(z.object({ sealed: z.string(), expires_at: moment.nullable(), created_at: moment.optional() })),
  copy: z
    .object({
      ...copyShape(OWN_OPTIONS),
      header_names: z.array(z.string()),
      disabled_reason: z.enum(['gone', 'operator']).nullable(),
      disabled_at: moment.nullable(),
      paused_at: moment.nullable(),
      ...copyShape(BREAKER_OPTIONS),
      created_at: moment,
      updated_at: moment,
    })
    .optional(),
});
export type EndpointCopy = z.infer<typeof endpointCopySchema>;

/** The part of a record that only control reads. */
export function copyOf(endpoint: StoredEndpoint): NonNullable<EndpointCopy['copy']> {
  const { header_names, disabled_reason } = endpoint;
  return {
    ...unannounced(OWN_OPTIONS, endpoint),
    header_names,
    disabled_reason,
    disabled_at: endpoint.disabled_at?.getTime() ?? null,
    paused_at: endpoint.paused_at?.getTime() ?? null,
    ...unannounced(BREAKER_OPTIONS, endpoint),
    created_at: endpoint.created_at.getTime(),
    updated_at: endpoint.updated_at.getTime(),
  };
}
