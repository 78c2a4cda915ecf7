import { z } from 'zod';
import { BREAKER_MODES, BREAKER_STATES, type BreakerMode, type BreakerState } from '#common/domain/breaker.js';
import { ProblemError } from '#common/http/problem.js';

export const MAX_THRESHOLD = 10_000;
export const MAX_COOLDOWN_S = 7 * 86_400;
export const MAX_PARKED_AGE_S = 30 * 86_400;
export const MAX_PARKED = 10_000_000;

const seconds = (max: number) => z.number().int().min(1).max(max);

const threshold = z.number().int().min(1).max(MAX_THRESHOLD).describe('deliveries dead in a row that open it');
const cooldown = seconds(MAX_COOLDOWN_S).describe('from its opening to the first probe');
const maxCooldown = seconds(MAX_COOLDOWN_S).describe('the cool-down doubles with every probe that fails, up to this');
const mode = z
  .enum(BREAKER_MODES)
  .describe(
    'automatic: probes after the cool-down; manual: stays open until the endpoint is resumed; discard: what comes while it is open is dead (`expired`) instead of parked',
  );

/** What holds or limits an endpoint, as a request says it. What is left out stays, or is this system's default. */
export const limitFields = {
  max_per_second: z
    .number()
    .min(0.01)
    .max(100_000)
    .nullable()
    .optional()
    .describe('most attempts a second, over all dispatchers; null for no limit'),
  breaker: z
    .strictObject({
      mode: mode.optional(),
      threshold: threshold.optional(),
      cooldown_s: cooldown.optional(),
      max_cooldown_s: maxCooldown.optional(),
    })
    .optional(),
  max_parked_age_s: seconds(MAX_PARKED_AGE_S).optional().describe('older parked deliveries are dead: `expired`'),
  max_parked: z.number().int().min(1).max(MAX_PARKED).optional().describe('beyond it the oldest are dead: `expired`'),
};

/** The same, as an endpoint shows it. */
export const shownLimitFields = {
  max_per_second: z.number().nullable(),
  breaker: z.object({
    state: z.enum(BREAKER_STATES),
    mode: z.enum(BREAKER_MODES),
    threshold: z.number(),
    cooldown_s: z.number(),
    max_cooldown_s: z.number(),
  }),
  max_parked_age_s: z.number(),
  max_parked: z.number(),
  paused_at: z.iso.datetime().nullable().describe('since when an operator holds its deliveries back'),
};

const limitFormSchema = z.object(limitFields);
type LimitForm = z.infer<typeof limitFormSchema>;
const shownLimitsSchema = z.object(shownLimitFields);

/** The columns these settings are stored in. */
export interface StoredLimits {
  readonly max_per_second: number | null;
  readonly breaker_mode: BreakerMode;
  readonly breaker_threshold: number;
  readonly breaker_cooldown_s: number;
  readonly breaker_max_cooldown_s: number;
  readonly max_parked_age_s: number;
  readonly max_parked: number;
}

/** What holds an endpoint at present. */
export interface StoredHolds {
  readonly paused_at: Date | null;
  /** Of its health row. */
  readonly breaker_state: BreakerState;
}

/** Defaults of new endpoints; part of the app's configuration. */
export interface LimitDefaults {
  readonly BREAKER_THRESHOLD: number;
  readonly BREAKER_COOLDOWN_S: number;
  readonly BREAKER_MAX_COOLDOWN_S: number;
  readonly MAX_PARKED_AGE_S: number;
  readonly MAX_PARKED: number;
}

export function defaultLimits(defaults: LimitDefaults): StoredLimits {
  return {
    max_per_second: null,
    breaker_mode: 'automatic',
    breaker_threshold: defaults.BREAKER_THRESHOLD,
    breaker_cooldown_s: defaults.BREAKER_COOLDOWN_S,
    breaker_max_cooldown_s: defaults.BREAKER_MAX_COOLDOWN_S,
    max_parked_age_s: defaults.MAX_PARKED_AGE_S,
    max_parked: defaults.MAX_PARKED,
  };
}

/** @throws ProblemError BODY_INVALID when the longest cool-down is shorter than the first */
export function mergeLimits(before: StoredLimits, form: LimitForm): StoredLimits {
  const { breaker } = form;
  const after: StoredLimits = {
    max_per_second: form.max_per_second === undefined ? before.max_per_second : form.max_per_second,
    breaker_mode: breaker?.mode ?? before.breaker_mode,
    breaker_threshold: breaker?.threshold ?? before.breaker_threshold,
    breaker_cooldown_s: breaker?.cooldown_s ?? before.breaker_cooldown_s,
    breaker_max_cooldown_s: breaker?.max_cooldown_s ?? before.breaker_max_cooldown_s,
    max_parked_age_s: form.max_parked_age_s ?? before.max_parked_age_s,
    max_parked: form.max_parked ?? before.max_parked,
  };
  if (after.breaker_max_cooldown_s < after.breaker_cooldown_s) {
    const errors = [{ field: 'breaker.max_cooldown_s', message: 'must not be less than cooldown_s' }];
    throw new ProblemError('BODY_INVALID', 'not valid: breaker.max_cooldown_s', { errors });
  }
  return after;
}

export function showLimits(endpoint: StoredLimits & StoredHolds): z.infer<typeof shownLimitsSchema> {
  return {
    max_per_second: endpoint.max_per_second,
    breaker: {
      state: endpoint.breaker_state,
      mode: endpoint.breaker_mode,
      threshold: endpoint.breaker_threshold,
      cooldown_s: endpoint.breaker_cooldown_s,
      max_cooldown_s: endpoint.breaker_max_cooldown_s,
    },
    max_parked_age_s: endpoint.max_parked_age_s,
    max_parked: endpoint.max_parked,
    paused_at: endpoint.paused_at?.toISOString() ?? null,
  };
}
