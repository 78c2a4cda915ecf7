import fc from 'fast-check';
import { MAX_DELAY_MS, MIN_DELAY_MS, PRESETS } from '../domain/retry-policy.js';
import { retryPolicyFormSchema, showRetryPolicy, toRetryPolicy } from './retry-policy-form.js';

describe('retry policies', () => {
  it.each([
    { given: { preset: 'patient' }, expected: PRESETS.patient },
    { given: { delays_s: [4, 16, 64] }, expected: PRESETS.quick },
    { given: { delays_s: [] }, expected: { delaysMs: [], jitter: 'none', permanentStatuses: [] } },
    {
      given: { delays_s: [0.1], jitter: 'equal', permanent_statuses: [404, 401, 404] },
      expected: { delaysMs: [100], jitter: 'equal', permanentStatuses: [401, 404] },
    },
    {
      given: { attempts: 4, initial_s: 0.5, factor: 3, cap_s: 2, jitter: 'full' },
      expected: { delaysMs: [500, 1_500, 2_000], jitter: 'full', capMs: 2_000, permanentStatuses: [] },
    },
  ])('given $given, then it is normalised', ({ given, expected }) => {
    expect(toRetryPolicy(retryPolicyFormSchema.parse(given))).toEqual(expected);
  });

  it.each([
    { given: 'a delay below 0.1 s', form: { delays_s: [0.09] } },
    { given: 'a delay above 7 days', form: { delays_s: [604_801] } },
    { given: 'a success as permanent', form: { delays_s: [1], permanent_statuses: [204] } },
    { given: 'no attempt', form: { attempts: 0, initial_s: 1, factor: 2, cap_s: 4 } },
    { given: 'two forms at once', form: { preset: 'quick', delays_s: [1] } },
    { given: 'an unknown preset', form: { preset: 'slow' } },
    { given: 'nothing', form: {} },
  ])('given $given, then it is refused', ({ form }) => {
    expect(retryPolicyFormSchema.safeParse(form).success).toBe(false);
  });

  it('given any accepted form, then its delays are within the limits, and what is shown means the same', () => {
    const seconds = fc.double({ min: 0.1, max: 604_800, noNaN: true });
    const form = fc.oneof(
      fc.record({ delays_s: fc.array(seconds, { maxLength: 49 }) }),
      fc.record({
        attempts: fc.integer({ min: 1, max: 50 }),
        initial_s: seconds,
        factor: fc.double({ min: 1, max: 100, noNaN: true }),
        cap_s: seconds,
      }),
    );
    fc.assert(
      fc.property(form, (given) => {
        const policy = toRetryPolicy(retryPolicyFormSchema.parse(given));
        expect(policy.delaysMs.every((ms) => ms >= MIN_DELAY_MS && ms <= MAX_DELAY_MS)).toBe(true);
        expect(toRetryPolicy(retryPolicyFormSchema.parse(showRetryPolicy(policy)))).toEqual(policy);
      }),
    );
  });
});
