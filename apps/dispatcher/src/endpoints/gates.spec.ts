import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { register } from 'prom-client';
import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import { type EndpointRecord, UNHELD } from '#common/records/endpoint-record.js';
import type { EndpointDirectory } from './endpoint-directory.js';
import { Gates } from './gates.js';

function gatesOf(over: Partial<EndpointRecord>, missingKeys: readonly string[] = []) {
  const record = { ...UNHELD, enabled: true, max_in_flight: 1, ...over };
  const directory = { find: () => ({ record, missingKeys }), onChange: () => undefined, wasDeleted: () => false };
  return new Gates(
    directory as unknown as EndpointDirectory,
    { endpointQueue: 10, slowAfterMs: 1_000, bytes: 1_000_000 },
    { perSecond: 10 },
  );
}

function holdOf(over: Partial<EndpointRecord>, missingKeys: readonly string[] = []) {
  return gatesOf(over, missingKeys).holdOf('ep_1');
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

describe('Gates of idle endpoints', () => {
  /** Enough sweeps. */
  const LONG_MS = 10_000;
  const TURN = { log: { lost: new AbortController().signal } as OwnedLog, parkedAt: undefined, isProbe: false };
  let gates: Gates;
  const lanes = new Set<string>();

  beforeEach(() => {
    jest.useFakeTimers();
    register.clear();
    lanes.clear();
  });

  afterEach(() => {
    gates.onModuleDestroy();
    jest.useRealTimers();
  });

  function started(over: Partial<EndpointRecord> = {}): Gates {
    gates = gatesOf(over);
    gates.listen({ onHold: () => undefined, onRoom: () => undefined, withLanes: () => lanes });
    gates.onModuleInit();
    return gates;
  }

  async function size(): Promise<number | undefined> {
    return (await register.getSingleMetric('posthorn_endpoint_gates')?.get())?.values[0]?.value;
  }

  function attemptOnce(): void {
    gates.of('ep_1').ask({ ...TURN, begin: () => undefined, withdraw: () => undefined });
    gates.of('ep_1').leave();
  }

  it('given endpoints without deliveries, then their gates are dropped', async () => {
    started();
    attemptOnce();
    for (let number = 2; number <= 50; number++) gates.of(`ep_${number}`);
    expect(await size()).toBe(50);
    jest.advanceTimersByTime(LONG_MS);
    expect(await size()).toBe(0);
  });

  it.each([
    { given: 'a delivery in memory', use: () => gates.of('ep_1').count(1), end: () => gates.of('ep_1').count(-1) },
    {
      given: 'an attempt in flight',
      use: () => gates.of('ep_1').ask({ ...TURN, begin: () => undefined, withdraw: () => undefined }),
      end: () => gates.of('ep_1').leave(),
    },
    { given: 'a lane in memory', use: () => gates.of('ep_1') && lanes.add('ep_1'), end: () => lanes.delete('ep_1') },
  ])('given $given, then the gate stays until it is gone', async ({ use, end }) => {
    started();
    use();
    jest.advanceTimersByTime(5 * LONG_MS);
    expect(await size()).toBe(1);
    end();
    jest.advanceTimersByTime(LONG_MS);
    expect(await size()).toBe(0);
  });

  it('given a gate that is asked for again and again, then it stays: it remembers when its last hold ended', async () => {
    started();
    for (let round = 0; round < 10; round++) {
      gates.holdOf('ep_1');
      jest.advanceTimersByTime(5_000);
    }
    expect(await size()).toBe(1);
  });

  it('given a rate limit with its token taken, then the gate stays until the token is back, and the limit holds', async () => {
    started({ max_per_second: 0.01 });
    attemptOnce();
    jest.advanceTimersByTime(80_000);
    expect(await size()).toBe(1);
    const begin = jest.fn();
    gates.of('ep_1').ask({ ...TURN, begin, withdraw: () => undefined });
    expect(begin).not.toHaveBeenCalled();
    jest.advanceTimersByTime(21_000);
    expect(begin).toHaveBeenCalledTimes(1);
  });
});
