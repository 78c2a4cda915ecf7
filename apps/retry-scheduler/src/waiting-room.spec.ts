import fc from 'fast-check';
import { EAGER_TIER } from '#common/domain/tier.js';
import { MemoryLog } from '../../../test/support/memory-log.js';
import type { WaitingDelivery } from './waiting.js';
import { WaitingRoom } from './waiting-room.js';

const META = {
  deliveryId: 'dlv_1',
  eventId: 'evt_1',
  endpointId: 'ep_1',
  tenant: 'acme',
  eventType: 'invoice.paid',
  attempt: 1,
  replay: 0,
  acceptedAt: 0,
  returned: false,
  place: undefined,
  dueAt: 0,
  tierUntil: 0,
};

function waiting(log: MemoryLog, offset: number, bytes = 100): WaitingDelivery {
  const empty = Buffer.alloc(0);
  const wait = { tier: EAGER_TIER, dueAt: 0, tierUntil: 0, readAt: 0 };
  return { ...wait, log, offset, meta: META, key: empty, value: empty, headers: {}, bytes };
}

function takeAll(room: WaitingRoom, nowMs: number): WaitingDelivery[] {
  const taken: WaitingDelivery[] = [];
  for (let due = room.takeDue(nowMs); due; due = room.takeDue(nowMs)) taken.push(due);
  return taken;
}

describe('WaitingRoom', () => {
  it('given records of any times, then each is taken at its time, soonest first, then in log order', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50), { maxLength: 200 }), fc.nat(60), (times, nowMs) => {
        const log = new MemoryLog('retry-4s');
        const room = new WaitingRoom(1_000_000);
        times.forEach((until, offset) => {
          room.put(waiting(log, offset), until);
        });
        const inOrder = times.map((until, offset) => ({ until, offset })).sort((a, b) => a.until - b.until);
        const due = inOrder.filter(({ until }) => until <= nowMs);
        expect(takeAll(room, nowMs).map(({ offset }) => offset)).toEqual(due.map(({ offset }) => offset));
        expect(room.nextAt).toBe(inOrder[due.length]?.until);
        expect(room.records).toBe(times.length - due.length);
      }),
    );
  });

  it('given a sorted log, then records leave in its order', () => {
    const log = new MemoryLog('retry-16s');
    const room = new WaitingRoom(1_000_000);
    for (let offset = 0; offset < 500; offset++) room.put(waiting(log, offset), Math.floor(offset / 7));
    expect(takeAll(room, 1_000).map(({ offset }) => offset)).toEqual(Array.from({ length: 500 }, (_, index) => index));
  });

  it('given a full room, then its partitions pause, and resume below half of the limit', () => {
    const logs = [new MemoryLog('retry-4s'), new MemoryLog('retry-4s')] as const;
    const room = new WaitingRoom(1_000);
    for (const log of logs) room.open(log);

    for (let offset = 0; offset < 9; offset++) room.put(waiting(logs[0], offset), 5);
    expect(logs.map(({ isPaused }) => isPaused)).toEqual([false, false]);
    room.put(waiting(logs[0], 9), 5);
    expect(logs.map(({ isPaused }) => isPaused)).toEqual([true, true]);

    const taken = takeAll(room, 5);
    expect(room.bytes).toBe(1_000);
    for (const { bytes } of taken.slice(0, 5)) room.release(bytes);
    expect(logs.map(({ isPaused }) => isPaused)).toEqual([true, true]);
    room.release(100);
    expect(logs.map(({ isPaused }) => isPaused)).toEqual([false, false]);
  });

  it('given a full room, when a partition is added, then the new partition pauses, too', () => {
    const room = new WaitingRoom(100);
    room.put(waiting(new MemoryLog('retry-4s'), 0), 5);
    const late = new MemoryLog('retry-4s');
    room.open(late);
    expect(late.isPaused).toBe(true);
  });

  it('given a lost partition, then the room drops its records, and other partitions continue', () => {
    const [lost, kept] = [new MemoryLog('retry-4s'), new MemoryLog('retry-4s')];
    const room = new WaitingRoom(500);
    for (const log of [lost, kept]) room.open(log);
    for (let offset = 0; offset < 4; offset++) room.put(waiting(lost, offset), offset);
    for (let offset = 0; offset < 2; offset++) room.put(waiting(kept, offset), offset);
    expect(kept.isPaused).toBe(true);

    room.close(lost);
    expect(kept.isPaused).toBe(false);
    expect(room.bytes).toBe(200);
    expect(takeAll(room, 10).map(({ log }) => log)).toEqual([kept, kept]);
  });
});
