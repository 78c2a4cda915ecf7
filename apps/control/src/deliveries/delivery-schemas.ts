import { z } from 'zod';
import { line } from '#common/records/text-line.js';
import { pageOf, pageQuery, timeQuery } from '../shared/paging.js';
import { tenantSchema } from '../shared/request-schemas.js';

/** `parked`: waits behind a head or a hold (docs/lane-protocol.md). */
const STATUSES = ['pending', 'delivered', 'retrying', 'parked', 'dead'] as const;

const moment = z.iso.datetime();

const attemptSchema = z.object({
  at: moment,
  status_code: z.number().nullable(),
  duration_ms: z.number(),
  error: z.string().nullable(),
});

export const deliverySchema = z
  .object({
    id: z.string(),
    event_id: z.string(),
    endpoint_id: z.string(),
    status: z.enum(STATUSES),
    attempts: z.array(attemptSchema).describe('of all lives of the delivery, oldest first'),
    next_attempt_at: moment.nullable(),
    tenant: z.string(),
    event_type: z.string(),
    accepted_at: moment.describe('when Kafka had the event'),
    replay: z.number().describe('how often the delivery was replayed'),
    dead_reason: z.string().nullable(),
  })
  .meta({ id: 'Delivery' });
export type ShownDelivery = z.infer<typeof deliverySchema>;

export const detailedDeliverySchema = deliverySchema
  .extend({
    attempts: z.array(
      attemptSchema.extend({
        replay: z.number(),
        attempt: z.number(),
        outcome: z.enum(['delivered', 'retry', 'dead']),
        error_detail: z.string().nullable(),
        response_body: z.string().nullable().describe('first bytes of the answer; what is no UTF-8 is replaced'),
      }),
    ),
  })
  .meta({ id: 'DetailedDelivery' });
export type DetailedDelivery = z.infer<typeof detailedDeliverySchema>;

export const deliveryPageSchema = pageOf(deliverySchema);

export const deliveryListQuery = z.strictObject({
  tenant: tenantSchema.optional(),
  event_id: line(256).optional(),
  endpoint_id: line(256).optional(),
  status: z
    .enum(STATUSES)
    .optional()
    .describe('without `since` and `event_id`, pending ones are searched in the last 24 hours only'),
  type: line(256).optional().describe('event type'),
  ...timeQuery,
  ...pageQuery,
});
export type DeliveryFilter = z.infer<typeof deliveryListQuery>;
