import { describe, expect, it } from '@jest/globals';
import { type EndpointRecord, UNHELD } from '#common/records/endpoint-record.js';
import type { EndpointDirectory } from './endpoint-directory.js';
import { Gates } from './gates.js';

function holdOf(over: Partial<EndpointRecord>, missingKeys: readonly string[] = []) {
  const record = { ...UNHELD, enabled: true, max_in_flight: 1, ...over };
  const directory = { find: () => ({ record, missingKeys }), onChange: () => undefined, wasDeleted: () => false };
  const gates = new Gates(
    directory as unknown as EndpointDirectory,
    { endpointQueue: 10, slowAfterMs: 1_000, bytes: 1_000_000 },
    { perSecond: 10 },
  );
  return gates.holdOf('ep_1');
}

describe('Gates', () => {
  it.each([
    { given: 'nothing against it', over: {}, hold: undefined },
    { given: 'paused', over: { paused: true }, hold: 'paused' },
    { given: 'an open breaker', over: { breaker: 'open' }, hold: 'breaker' },
    { given: 'a breaker that waits for a probe', over: { breaker: 'half_open' }, hold: 'breaker' },
    { given: 'an open breaker that discards', over: { breaker: 'open', breaker_mode: 'discard' }, hold: undefined },
    // Its deliveries are given up without an attempt: no probe would ever end the hold.
    { given: 'disabled, with an open breaker', over: { enabled: false, breaker: 'open' }, hold: undefined },
    { given: 'disabled and paused', over: { enabled: false, paused: true }, hold: undefined },
  ] as const)('given an endpoint with $given, then its hold is $hold', ({ over, hold }) => {
    expect(holdOf(over)).toBe(hold);
  });

  it.each([
    { given: 'enabled', over: {}, hold: 'key_missing' },
    { given: 'paused', over: { paused: true }, hold: 'paused' },
    { given: 'half-open: a probe could not be signed', over: { breaker: 'half_open' }, hold: 'key_missing' },
    { given: 'discarding', over: { breaker: 'open', breaker_mode: 'discard' }, hold: 'key_missing' },
    { given: 'disabled', over: { enabled: false }, hold: undefined },
  ] as const)('given a key is missing and the endpoint is $given, then its hold is $hold', ({ over, hold }) => {
    expect(holdOf(over, ['k2'])).toBe(hold);
  });
});
