import { z } from 'zod';
import { createForms, newOptions, patchedOptions, recordShape } from './endpoint-option-shapes.js';
import {
  ATTEMPT_OPTIONS,
  ENDPOINT_OPTIONS,
  type EndpointOption,
  MESSAGE_OPTIONS,
  PARKING_OPTIONS,
} from './endpoint-options.js';
import { endpointRecordSchema } from './endpoint-record.js';

const OPTIONS = Object.entries(ENDPOINT_OPTIONS).map(([name, option]): [string, EndpointOption] => [name, option]);
const DEFAULTS = {
  BREAKER_THRESHOLD: 3,
  BREAKER_COOLDOWN_S: 4,
  BREAKER_MAX_COOLDOWN_S: 5,
  MAX_PARKED_AGE_S: 6,
  MAX_PARKED: 7,
};
const form = z.object({ ...createForms(MESSAGE_OPTIONS), ...createForms(ATTEMPT_OPTIONS) });
const created = newOptions(form.parse({ url: 'https://a.example/', event_types: ['a.b'] }), DEFAULTS);

describe('endpoint options', () => {
  it.each(OPTIONS)('given %s, then exactly one part of the record carries it', (_name, option) => {
    expect([option.record, option.copy].filter((schema) => schema !== undefined)).toHaveLength(1);
  });

  it.each(OPTIONS)(
    'given %s, then its default is a value of the form, and earlier records of it are readable',
    (_name, option) => {
      if (option.default !== undefined) expect(option.form.safeParse(option.default).success).toBe(true);
      const kept = option.record ?? option.copy;
      if (option.absent !== undefined) expect(kept?.safeParse(option.absent).success).toBe(true);
    },
  );

  it('given a new endpoint, then its options have a value each, which its record may hold', () => {
    expect(Object.keys(created)).toEqual(Object.keys(ENDPOINT_OPTIONS));
    expect(Object.values(created)).not.toContain(undefined);
    expect(created).toMatchObject({ breaker_threshold: 3, max_parked: 7, max_per_second: null, timeout_ms: 10_000 });
    expect(z.object(recordShape(ENDPOINT_OPTIONS)).safeParse(created).error).toBeUndefined();
  });

  it('given a change, then options that it leaves out stay, and null is a value', () => {
    const after = patchedOptions(
      { ...created, max_per_second: 5, description: 'old' },
      {
        max_per_second: null,
        retry_policy: { delays_s: [1] },
        breaker: { cooldown_s: 60 },
      },
    );
    expect(after).toEqual({
      ...created,
      description: 'old',
      max_per_second: null,
      retry_policy: { delaysMs: [1_000], jitter: 'none', permanentStatuses: [] },
      breaker_cooldown_s: 60,
    });
  });

  it('given a record of a release without the limits, then it is read, and limits nothing', () => {
    const limits = Object.keys({ ...PARKING_OPTIONS, max_per_second: null, breaker_mode: null });
    const options = Object.fromEntries(Object.entries(created).filter(([name]) => !limits.includes(name)));
    const state = { v: 1, id: 'ep_1', version: 1, tenant: 'acme', secrets: [], headers_sealed: null, enabled: true };
    expect(endpointRecordSchema.parse({ ...state, ...options })).toMatchObject({
      paused: false,
      breaker: 'closed',
      breaker_mode: 'automatic',
      max_per_second: null,
      max_parked_age_s: 604_800,
      max_parked: 1_000_000,
    });
  });
});
