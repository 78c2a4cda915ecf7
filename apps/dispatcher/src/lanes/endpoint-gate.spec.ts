import { describe, expect, it, jest } from '@jest/globals';
import type { OwnedLog } from '#common/kafka/port.js';
import { EndpointGate, type GateSettings, type HoldReason, type Turn } from './endpoint-gate.js';

const LOG = { lost: new AbortController().signal } as OwnedLog;
const OPEN: GateSettings = { maxInFlight: 2, perSecond: undefined, hold: undefined };

function gateOf(settings: GateSettings = OPEN) {
  const holds: (HoldReason | undefined)[] = [];
  const begun: string[] = [];
  const withdrawn: string[] = [];
  const gate = new EndpointGate(settings, {
    queueLimit: 4,
    patience: () => () => 2_000,
    drainPerSecond: 2,
    now: Date.now,
    onHold: (reason) => holds.push(reason),
  });
  const ask = (name: string, over: Partial<Turn> = {}) =>
    gate.ask({
      log: LOG,
      isDrain: false,
      isProbe: false,
      begin: () => void begun.push(name),
      withdraw: () => void withdrawn.push(name),
      ...over,
    });
  return { gate, ask, holds, begun, withdrawn };
}

describe('EndpointGate', () => {
  it('given more wishes than slots, then they begin in order, each when a slot is free', () => {
    const { gate, ask, begun } = gateOf();
    for (const name of ['a', 'b', 'c', 'd']) ask(name);
    expect(begun).toEqual(['a', 'b']);

    gate.leave();
    expect(begun).toEqual(['a', 'b', 'c']);
  });

  it('given a pause, then what waits is withdrawn, and a probe is not', () => {
    const { gate, ask, holds, begun, withdrawn } = gateOf();
    for (const name of ['a', 'b', 'c']) ask(name);
    ask('probe', { isDrain: true, isProbe: true });

    gate.change({ ...OPEN, hold: 'breaker' });
    expect({ holds, withdrawn }).toEqual({ holds: ['breaker'], withdrawn: ['c'] });

    gate.leave();
    expect(begun).toEqual(['a', 'b', 'probe']);
  });

  it('given more deliveries in memory than it gets done, then the endpoint is slow until half of them are gone', () => {
    jest.useFakeTimers();
    const { gate, holds } = gateOf();
    for (let count = 0; count < 4; count++) gate.count(1);
    expect(holds).toEqual([]);
    jest.advanceTimersByTime(500);
    expect(holds).toEqual(['slow']);

    gate.count(-1);
    gate.count(-1);
    expect(holds).toEqual(['slow']);
    gate.count(-1);
    expect(holds).toEqual(['slow', undefined]);
    jest.useRealTimers();
  });

  it('given many deliveries in memory that are soon done, then the endpoint is not slow', () => {
    jest.useFakeTimers();
    const { gate, holds } = gateOf();
    for (let count = 0; count < 4; count++) gate.count(1);
    for (let round = 0; round < 40; round++) {
      jest.advanceTimersByTime(100);
      gate.count(-1);
      gate.count(1);
    }
    expect(holds).toEqual([]);

    jest.advanceTimersByTime(1_000);
    expect(holds).toEqual(['slow']);
    jest.useRealTimers();
  });

  it('given drains beyond their rate, then fresh deliveries go on meanwhile', () => {
    jest.useFakeTimers();
    const { ask, begun } = gateOf({ ...OPEN, maxInFlight: 10 });
    for (const name of ['d1', 'd2', 'd3']) ask(name, { isDrain: true });
    ask('fresh');
    expect(begun).toEqual(['d1', 'd2', 'fresh']);

    jest.advanceTimersByTime(600);
    expect(begun).toEqual(['d1', 'd2', 'fresh', 'd3']);
    jest.useRealTimers();
  });

  it('given a rate limit, then no more begin than it allows', () => {
    jest.useFakeTimers();
    const { ask, begun } = gateOf({ maxInFlight: 100, perSecond: 5, hold: undefined });
    for (let count = 0; count < 20; count++) ask(String(count));
    expect(begun).toHaveLength(5);

    jest.advanceTimersByTime(1_000);
    expect(begun).toHaveLength(10);
    jest.useRealTimers();
  });

  it('given a lost partition, then its wishes are forgotten', () => {
    const { gate, ask, begun } = gateOf({ ...OPEN, maxInFlight: 1 });
    const lost = new AbortController();
    ask('a');
    ask('gone', { log: { lost: lost.signal } as OwnedLog });
    ask('b');
    lost.abort();

    gate.leave();
    expect(begun).toEqual(['a', 'b']);
  });
});
