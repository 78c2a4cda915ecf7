import { afterEach, describe, expect, it } from '@jest/globals';
import { register } from 'prom-client';
import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import type { Delivery } from './delivery.js';
import { bytesOf, MemoryBudget } from './memory-budget.js';

afterEach(() => register.clear());

const KIB = 1_024;

class PausableLog {
  readonly reasons = new Set<string>();
  pause(reason: string): void {
    this.reasons.add(reason);
  }
  resume(reason: string): void {
    this.reasons.delete(reason);
  }
}
const newLog = () => new PausableLog() as unknown as OwnedLog & PausableLog;
/** What it takes of the memory is `kib`, with its overhead. */
const delivery = (log: OwnedLog, kib: number) =>
  ({ log, body: Buffer.alloc((kib - 1) * KIB), bagIndex: 0 }) as Delivery;
const budget = (kib: number) => new MemoryBudget({ endpointQueue: 400, slowAfterMs: 1, bytes: kib * KIB });
const gauge = async (name: string) => (await register.getSingleMetric(name)?.get())?.values[0]?.value;

describe('MemoryBudget', () => {
  it.each([
    { bytes: 500, places: 1 },
    { bytes: 19_000, places: 1 },
    { bytes: 200_000, places: 10 },
  ])(
    'given a body of $bytes bytes, then it takes $places of the 400 places of a quarter of 32 MiB',
    ({ bytes, places }) => {
      expect(budget(32 * KIB).placesOf({ body: Buffer.alloc(bytes) } as Delivery)).toBe(places);
    },
  );

  it('given less than its bytes, then no log is paused; given as many, then all that have deliveries are', () => {
    const memory = budget(100);
    const [one, two] = [newLog(), newLog()];
    memory.enter(delivery(one, 50));
    memory.enter(delivery(two, 49));
    expect([one, two].map(({ reasons }) => reasons.size)).toEqual([0, 0]);

    memory.enter(delivery(two, 1));

    expect([one, two].map(({ reasons }) => [...reasons])).toEqual([['memory'], ['memory']]);
  });

  it('given it is full, when a log brings its first delivery, then that log is paused, too', () => {
    const memory = budget(100);
    const [full, late] = [newLog(), newLog()];
    memory.enter(delivery(full, 100));

    memory.enter(delivery(late, 2));

    expect([...late.reasons]).toEqual(['memory']);
  });

  it('given it is full, when half of it is free, then the logs go on, and not before', () => {
    const memory = budget(100);
    const log = newLog();
    const [first, second, third] = [delivery(log, 50), delivery(log, 30), delivery(log, 20)];
    for (const each of [first, second, third]) memory.enter(each);

    memory.leave(first);
    expect(log.reasons.size).toBe(1);
    memory.leave(third);

    expect(log.reasons.size).toBe(0);
  });

  it('given a delivery that left, when it leaves again, then it counts once', () => {
    const memory = budget(100);
    const log = newLog();
    const [gone, staying] = [delivery(log, 40), delivery(log, 40)];
    memory.enter(gone);
    memory.enter(staying);

    expect([memory.leave(gone), memory.leave(gone)]).toEqual([true, false]);

    memory.enter(delivery(log, 40));
    expect(log.reasons.size).toBe(0);
  });

  it('given a log is lost, then its deliveries are returned and free their bytes, and the others go on', () => {
    const memory = budget(100);
    const [lost, kept] = [newLog(), newLog()];
    const held = [delivery(lost, 40), delivery(lost, 40)];
    for (const each of held) memory.enter(each);
    memory.enter(delivery(kept, 30));
    expect(kept.reasons.size).toBe(1);

    expect(new Set(memory.lost(lost))).toEqual(new Set(held));

    expect(kept.reasons.size).toBe(0);
    expect([memory.leave(held[0] as Delivery), memory.lost(lost)]).toEqual([false, []]);
  });

  it('given deliveries of several logs, then the gauges show their number and bytes', async () => {
    const memory = budget(100);
    const one = delivery(newLog(), 10);
    const two = delivery(newLog(), 20);
    memory.enter(one);
    memory.enter(two);
    expect(await gauge('posthorn_deliveries_queued')).toBe(2);
    expect(await gauge('posthorn_deliveries_queued_bytes')).toBe(bytesOf(one) + bytesOf(two));
  });
});
