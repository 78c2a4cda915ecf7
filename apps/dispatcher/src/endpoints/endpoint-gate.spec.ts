import { describe, expect, it, jest } from '@jest/globals';
import type { HoldReason } from '#common/domain/hold.js';
import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import { EndpointGate, type GateSettings, type Turn } from './endpoint-gate.js';

const LOG = { lost: new AbortController().signal } as OwnedLog;
const OPEN: GateSettings = { maxInFlight: 2, perSecond: undefined, hold: undefined };

function gateOf(settings: GateSettings = OPEN) {
  const holds: (HoldReason | undefined)[] = [];
  const rooms: boolean[] = [];
  const begun: string[] = [];
  const withdrawn: string[] = [];
  const gate = new EndpointGate(settings, {
    queueLimit: 4,
    patience: () => () => 2_000,
    drainPerSecond: 2,
    now: Date.now,
    onHold: (reason) => holds.push(reason),
    onRoom: () => rooms.push(gate.isFull),
  });
  const ask = (name: string, over: Partial<Turn> = {}) =>
    gate.ask({
      log: LOG,
      parkedAt: undefined,
      isProbe: false,
      begin: () => void begun.push(name),
      withdraw: () => void withdrawn.push(name),
      ...over,
    });
  return { gate, ask, holds, rooms, begun, withdrawn };
}

describe('EndpointGate', () => {
  it('given more wishes than slots, then they begin in order, each when a slot is free', () => {
    const { gate, ask, begun } = gateOf();
    for (const name of ['a', 'b', 'c', 'd']) ask(name);
    expect(begun).toEqual(['a', 'b']);

    gate.leave();
    expect(begun).toEqual(['a', 'b', 'c']);
  });

  it('given a turn that waits behind an attempt, then that is its reason; a halted gate without attempts has none', () => {
    const { gate, ask } = gateOf({ ...OPEN, maxInFlight: 1 });
    ask('a');
    expect(gate.waitsFor(LOG)).toBeUndefined();
    ask('b');
    expect(gate.waitsFor(LOG)).toBe('attempts under way');
    expect(gate.waitsFor({ ...LOG })).toBeUndefined();

    gate.halt(true);
    gate.leave();
    expect(gate.waitsFor(LOG)).toBeUndefined();
  });

  it('given a turn that waits for a rate limit, then that is its reason', () => {
    const { gate, ask } = gateOf({ ...OPEN, perSecond: 0.01 });
    ask('a');
    gate.leave();
    ask('b');

    expect(gate.waitsFor(LOG)).toBe('a rate limit');
    gate.change({ ...OPEN, hold: 'paused' });
  });

  it('given a pause, then what waits is withdrawn, and a probe is not', () => {
    const { gate, ask, holds, begun, withdrawn } = gateOf();
    for (const name of ['a', 'b', 'c']) ask(name);
    ask('probe', { parkedAt: Date.now(), isProbe: true });

    gate.change({ ...OPEN, hold: 'breaker' });
    expect({ holds, withdrawn }).toEqual({ holds: ['breaker'], withdrawn: ['c'] });

    gate.leave();
    expect(begun).toEqual(['a', 'b', 'probe']);
  });

  it('given a key is missing, then what waits is withdrawn, a probe too', () => {
    const { gate, ask, holds, begun, withdrawn } = gateOf();
    for (const name of ['a', 'b', 'c']) ask(name);
    ask('probe', { parkedAt: Date.now(), isProbe: true });

    gate.change({ ...OPEN, hold: 'key_missing' });
    gate.leave();
    expect({ holds, withdrawn, begun }).toEqual({
      holds: ['key_missing'],
      withdrawn: ['probe', 'c'],
      begun: ['a', 'b'],
    });
  });

  describe('given as many deliveries in memory as are suspicious', () => {
    beforeEach(() => jest.useFakeTimers());
    afterEach(() => jest.useRealTimers());

    const given = (settings: GateSettings = OPEN) => {
      const made = gateOf(settings);
      for (let count = 0; count < 4; count++) made.gate.count(1);
      return made;
    };

    it('when it does not answer, then it is slow until more than half of them are gone', () => {
      const { gate, ask, holds } = given();
      ask('hangs');
      expect(holds).toEqual([]);
      jest.advanceTimersByTime(501);
      expect(holds).toEqual(['slow']);

      gate.count(-1);
      gate.count(-1);
      expect(holds).toEqual(['slow']);
      gate.count(-1);
      expect(holds).toEqual(['slow', undefined]);
    });

    it('when it answers soon, then it is not slow, however long they stay', () => {
      const { gate, ask, holds } = given();
      for (let round = 0; round < 40; round++) {
        ask(String(round));
        jest.advanceTimersByTime(50);
        gate.leave();
        jest.advanceTimersByTime(200);
      }
      expect(holds).toEqual([]);
    });

    it('when it is asked for nothing, then it is not slow', () => {
      const { holds } = given();
      jest.advanceTimersByTime(10_000);
      expect(holds).toEqual([]);
    });

    it('when half of them are done, then there is room again', () => {
      const { gate, rooms } = given();
      expect(gate.isFull).toBe(true);
      gate.count(-1);
      expect(gate.isFull).toBe(true);
      gate.count(-1);
      expect(rooms).toEqual([false]);
    });

    it('when it turns out to be slow, then what comes has room, until twice as many wait to be parked', () => {
      const { gate, ask, rooms } = given();
      ask('hangs');
      jest.advanceTimersByTime(501);
      expect({ rooms, isFull: gate.isFull }).toEqual({ rooms: [false], isFull: false });

      for (let count = 0; count < 7; count++) gate.count(1);
      expect(gate.isFull).toBe(false);
      gate.count(1);
      expect(gate.isFull).toBe(true);
    });

    it('when its rate limit makes them wait, then it is slow', () => {
      const { holds } = given({ ...OPEN, perSecond: 1 });
      jest.advanceTimersByTime(501);
      expect(holds).toEqual(['slow']);
    });
  });

  describe('given more than the rate of drains allows', () => {
    const held: GateSettings = { ...OPEN, maxInFlight: 10, hold: 'paused' };
    const NAMES = ['d1', 'd2', 'd3'];

    beforeEach(() => jest.useFakeTimers());
    afterEach(() => jest.useRealTimers());

    it('when it was parked before a hold ended, then it drains at that rate, and fresh deliveries go on meanwhile', () => {
      const { gate, ask, begun } = gateOf(held);
      const parkedAt = Date.now();
      jest.advanceTimersByTime(5_000);
      gate.change({ ...held, hold: undefined });
      for (const name of NAMES) ask(name, { parkedAt });
      ask('fresh');
      expect(begun).toEqual(['d1', 'd2', 'fresh']);

      jest.advanceTimersByTime(600);
      expect(begun).toEqual(['d1', 'd2', 'fresh', 'd3']);
    });

    it('when it was parked before this process knew of it, then it drains at that rate', () => {
      const parkedAt = Date.now() - 1;
      const { ask, begun } = gateOf({ ...held, hold: undefined });
      for (const name of NAMES) ask(name, { parkedAt });
      expect(begun).toEqual(['d1', 'd2']);
    });

    it('when it was parked behind a failed delivery since then, then it goes on at once', () => {
      const { gate, ask, begun } = gateOf(held);
      gate.change({ ...held, hold: undefined });
      jest.advanceTimersByTime(1);
      for (const name of NAMES) ask(name, { parkedAt: Date.now() });
      expect(begun).toEqual(NAMES);
    });
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
