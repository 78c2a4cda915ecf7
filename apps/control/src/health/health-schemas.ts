import { z } from 'zod';
import { BREAKER_MODES, BREAKER_STATES } from '#common/domain/breaker.js';

const moment = z.iso.datetime();

export const endpointHealthSchema = z
  .object({
    endpoint_id: z.string(),
    status: z.enum(['active', 'disabled']),
    paused_at: moment.nullable(),
    breaker: z.object({
      state: z.enum(BREAKER_STATES),
      mode: z.enum(BREAKER_MODES),
      consecutive_dead: z.number().describe('deliveries dead since the last one that was delivered'),
      threshold: z.number(),
      openings: z.number().describe('how often it opened since it was last closed'),
      opened_at: moment.nullable(),
      next_probe_at: moment
        .nullable()
        .describe('when a delivery is tried next; null while it is closed, or waits for an operator'),
    }),
    last_success_at: moment.nullable(),
    last_failure_at: moment.nullable().describe('of an attempt'),
    parked: z.object({
      deliveries: z.number(),
      oldest_at: moment.nullable(),
      oldest_age_s: z.number().nullable(),
    }),
    last_hour: z.object({
      attempts: z.number(),
      delivered: z.number(),
      success_rate: z.number().nullable().describe('0 to 1; null without attempts'),
      mean_duration_ms: z.number().nullable(),
    }),
  })
  .meta({ id: 'EndpointHealth' });
export type EndpointHealth = z.infer<typeof endpointHealthSchema>;
