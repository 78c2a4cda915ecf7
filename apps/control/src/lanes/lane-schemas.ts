import { z } from 'zod';
import { PARK_REASONS } from '#common/domain/hold.js';
import { line } from '#common/records/text-line.js';
import { pageOf, pageQuery } from '../shared/paging.js';

const MAX_LANE_ID = 2_048;

/** Why a lane's deliveries wait. */
export const LANE_REASONS = [...PARK_REASONS, 'draining'] as const;

const moment = z.iso.datetime();

export const laneSchema = z
  .object({
    id: z.string().describe('fit for a URL'),
    endpoint_id: z.string(),
    lane: z.string().describe("the deliveries' key: endpoint and resource, the endpoint, or one delivery"),
    reason: z
      .enum(LANE_REASONS)
      .describe(
        'paused, breaker: nothing is sent to the endpoint; head: its first delivery waits for its next attempt; slow: the endpoint is slower than its traffic; key_missing: a dispatcher lacks a key that its secrets are sealed under; draining: nothing holds it any more',
      ),
    head: z
      .object({
        delivery_id: z.string(),
        attempt: z.number().describe('attempts made so far'),
        next_attempt_at: moment.nullable(),
      })
      .nullable()
      .describe('the delivery that must be over before any other of the lane is attempted; null when none was named'),
    parked: z.number().describe('deliveries waiting behind the head, or behind what holds the endpoint'),
    first_parked_delivery_id: z.string().nullable(),
    oldest_parked_at: moment.nullable(),
    oldest_parked_age_s: z.number().nullable(),
  })
  .meta({ id: 'Lane' });
export type ShownLane = z.infer<typeof laneSchema>;

export const lanePageSchema = pageOf(laneSchema);

export const laneListQuery = z.strictObject({
  ...pageQuery,
  endpoint_id: line(256),
  cursor: z.string().max(MAX_LANE_ID).optional().describe('`next_cursor` of the page before'),
});
export type LaneFilter = z.infer<typeof laneListQuery>;

export const laneIdSchema = z.string().max(MAX_LANE_ID);

export const skippedSchema = z.object({
  lane_id: z.string(),
  delivery_id: z.string().describe('the head, which its lane gives up within seconds: `unrecoverable`'),
});
export type Skipped = z.infer<typeof skippedSchema>;
