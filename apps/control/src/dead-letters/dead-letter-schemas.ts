import { z } from 'zod';
import { DEAD_REASONS } from '#common/domain/verdict.js';
import { line } from '#common/records/text-line.js';
import { pageOf, pageQuery, timeQuery } from '../shared/paging.js';
import { tenantSchema } from '../shared/request-schemas.js';

const moment = z.iso.datetime();
const reason = z.enum(DEAD_REASONS);

export const deadLetterSchema = z
  .object({
    id: z.string(),
    reason,
    detail: z.string().nullable(),
    at: moment,
    last_status_code: z
      .number()
      .nullable()
      .describe('of the attempt that ended the delivery; null when that had no status, or no attempt ended it'),
    last_error: z.string().nullable().describe('of that attempt, if it had no status'),
    source: z.string().describe('topic/partition/offset the record was read at'),
    tenant: z.string().nullable(),
    endpoint_id: z.string().nullable(),
    event_id: z.string().nullable(),
    event_type: z.string().nullable(),
    delivery_id: z.string().nullable().describe('null when the record never was a delivery: payload_error'),
    replayed_at: moment.nullable(),
  })
  .meta({ id: 'DeadLetter' });
export type ShownDeadLetter = z.infer<typeof deadLetterSchema>;

export const detailedDeadLetterSchema = deadLetterSchema
  .extend({
    dlq_partition: z.number(),
    dlq_offset: z.number(),
    key_base64: z.string().nullable(),
    value_base64: z.string().nullable(),
    headers_base64: z.record(z.string(), z.string()),
  })
  .meta({ id: 'DetailedDeadLetter' });
export type DetailedDeadLetter = z.infer<typeof detailedDeadLetterSchema>;

export const deadLetterPageSchema = pageOf(deadLetterSchema);

export const deadLetterListQuery = z.strictObject({
  tenant: tenantSchema.optional(),
  reason: reason.optional(),
  endpoint_id: line(256).optional(),
  replayed: z
    .stringbool({ truthy: ['true'], falsy: ['false'], error: 'must be true or false' })
    .meta({ type: 'boolean', description: 'false: only dead letters that were not replayed' })
    .optional(),
  ...timeQuery,
  ...pageQuery,
});
export type DeadLetterFilter = z.infer<typeof deadLetterListQuery>;

export const deadLetterStatsQuery = z.strictObject({
  tenant: tenantSchema.optional(),
  endpoint_id: line(256).optional(),
});

const counts = z.object({ total: z.number(), pending: z.number().describe('not replayed') });
export const deadLetterStatsSchema = counts
  .extend({ reasons: z.record(reason, counts) })
  .meta({ id: 'DeadLetterStats' });
export type DeadLetterStats = z.infer<typeof deadLetterStatsSchema>;
