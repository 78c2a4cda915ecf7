import { z } from 'zod';
import {
  exponentialDelaysMs,
  JITTERS,
  MAX_DELAY_MS,
  MIN_DELAY_MS,
  PRESET_NAMES,
  PRESETS,
  type RetryPolicy,
} from '../domain/retry-policy.js';

const MAX_ATTEMPTS = 50;
const MAX_PERMANENT_STATUSES = 100;

const delay = z
  .number()
  .min(MIN_DELAY_MS / 1_000)
  .max(MAX_DELAY_MS / 1_000);

const options = {
  jitter: z.enum(JITTERS).optional(),
  permanent_statuses: z
    .array(z.number().int().min(300).max(599))
    .max(MAX_PERMANENT_STATUSES)
    .optional()
    .describe('answers that end a delivery at once; 410 always does'),
};

const presetForm = z.strictObject({ preset: z.enum(PRESET_NAMES) });

const listForm = z.strictObject({
  delays_s: z
    .array(delay)
    .max(MAX_ATTEMPTS - 1)
    .describe('wait after the 1st, 2nd, … failed attempt, in seconds'),
  cap_s: delay.optional().describe('longest wait, jitter and Retry-After included; else the longest of the delays'),
  ...options,
});

const exponentialForm = z.strictObject({
  attempts: z.number().int().min(1).max(MAX_ATTEMPTS).describe('in all, the first included'),
  initial_s: delay,
  factor: z.number().min(1).max(100),
  cap_s: delay,
  ...options,
});

/** The three ways to write a retry policy. */
export const retryPolicyFormSchema = z.union([presetForm, listForm, exponentialForm]);
export type RetryPolicyForm = z.infer<typeof retryPolicyFormSchema>;

/** How a policy is shown, whichever way it was written; also one of the ways to write it. */
export const shownRetryPolicySchema = z.object({
  delays_s: z.array(z.number()),
  cap_s: z.number().optional(),
  jitter: z.enum(JITTERS),
  permanent_statuses: z.array(z.number()),
});

export function toRetryPolicy(form: RetryPolicyForm): RetryPolicy {
  if ('preset' in form) return PRESETS[form.preset];
  const permanentStatuses = [...new Set(form.permanent_statuses ?? [])].sort((a, b) => a - b);
  const cap = form.cap_s === undefined ? {} : { capMs: toMs(form.cap_s) };
  return { delaysMs: delaysMs(form), jitter: form.jitter ?? 'none', ...cap, permanentStatuses };
}

export function showRetryPolicy(policy: RetryPolicy): z.infer<typeof shownRetryPolicySchema> {
  return {
    delays_s: policy.delaysMs.map((ms) => ms / 1_000),
    ...(policy.capMs === undefined ? {} : { cap_s: policy.capMs / 1_000 }),
    jitter: policy.jitter,
    permanent_statuses: [...policy.permanentStatuses],
  };
}

function delaysMs(form: Exclude<RetryPolicyForm, { preset: unknown }>): number[] {
  if ('delays_s' in form) return form.delays_s.map(toMs);
  const { attempts, initial_s, factor, cap_s } = form;
  return exponentialDelaysMs({ attempts, initialMs: toMs(initial_s), factor, capMs: toMs(cap_s) });
}

function toMs(seconds: number): number {
  return Math.round(seconds * 1_000);
}
