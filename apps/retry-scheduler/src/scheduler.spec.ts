import { jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import fc from 'fast-check';
import { MAX_DELAY_MS, MIN_DELAY_MS } from '#common/domain/retry-policy.js';
import { hopFor, TIERS } from '#common/domain/tier.js';
import type { RecordWriter } from '#common/kafka/port/record-writer.js';
import { readDeadLetter } from '#common/records/dead-letter-record.js';
import { DELIVERY_HEADER, decodeDelivery, encodeDelivery } from '#common/records/delivery-record.js';
import type { OutRecord } from '#common/records/record.js';
import { MemoryLog } from '../../../test/support/memory-log.js';
import { Returner } from './returner.js';
import { Scheduler } from './scheduler.js';

const T0 = 1_800_000_000_000;
const LARGE = { eagerBytes: 64 * 1_048_576, tierBytes: 2 * 1_048_576, batchBytes: 1_048_576 };
const META = {
  eventId: 'evt_1',
  endpointId: 'ep_1',
  tenant: 'acme',
  eventType: 'invoice.paid',
  attempt: 1,
  replay: 0,
  acceptedAt: T0,
  returned: false,
  place: 3,
};

/** The tiers with one scheduler, in virtual time. A simulated Kafka stores, serves and acknowledges records. */
class Wheel implements RecordWriter {
  readonly logs = new Map(TIERS.map(({ topic }) => [topic as string, new MemoryLog(topic)]));
  readonly returned: { deliveryId: string; lateMs: number }[] = [];
  readonly dead: OutRecord[] = [];
  mostBytes = 0;
  refuse: ((record: OutRecord) => boolean) | undefined;
  acknowledge: Promise<void> | undefined;
  readonly scheduler: Scheduler;

  constructor(limits = LARGE) {
    this.scheduler = new Scheduler(new Returner(this), limits, Date.now);
    for (const log of this.logs.values()) this.scheduler.onOwned(log);
  }

  async write(records: readonly OutRecord[]): Promise<void> {
    if (this.refuse && records.some(this.refuse)) throw new Error('refused');
    await this.acknowledge;
    for (const record of records) this.store(record);
  }

  /** Writes a retry, as the dispatcher does after a failed attempt. */
  retry(deliveryId: string, delayMs: number, body = '{}'): void {
    const { tier, dueAt, tierUntil } = hopFor(delayMs, Date.now());
    const header = encodeDelivery({ ...META, deliveryId, dueAt, tierUntil });
    this.store({ topic: tier.topic, key: deliveryId, value: body, headers: { [DELIVERY_HEADER]: header } });
  }

  log(topic: string): MemoryLog {
    const log = this.logs.get(topic);
    if (log === undefined) throw new Error(`no log ${topic}`);
    return log;
  }

  /**
   * Advances the clock. The scheduler fetches every 20 ms while records change; otherwise time jumps to the next timer.
   */
  async run(ms: number): Promise<void> {
    const end = Date.now() + ms;
    while (Date.now() < end) {
      const isBusy = this.feed();
      if (isBusy) await jest.advanceTimersByTimeAsync(Math.min(20, end - Date.now()));
      else await jest.advanceTimersByTimeAsync(Math.min(1_000, end - Date.now()));
    }
  }

  /** As {@link run}, but skips the time in which nothing is due: days pass in milliseconds. */
  async leap(ms: number): Promise<void> {
    const end = Date.now() + ms;
    while (Date.now() < end) {
      const quietMs = Math.min(this.nextLeaving(), end) - Date.now() - 2_000;
      if (quietMs > 0) jest.setSystemTime(Date.now() + quietMs);
      await this.run(1_000);
    }
  }

  feed(): boolean {
    let isBusy = false;
    for (const log of this.logs.values()) {
      const records = log.read();
      if (records.length > 0) this.scheduler.take({ log, records, after: records[0]?.offset ?? 0 });
      isBusy ||= records.length > 0;
    }
    this.mostBytes = Math.max(this.mostBytes, ...this.scheduler.held().map(({ bytes }) => bytes));
    return isBusy;
  }

  private nextLeaving(): number {
    const waiting = [...this.logs.values()].flatMap(({ records, finished }) =>
      records.filter(({ offset }) => !finished.includes(offset)),
    );
    return Math.min(...waiting.map(({ headers }) => decodeDelivery(headers[DELIVERY_HEADER])?.tierUntil ?? 0));
  }

  private store(record: OutRecord): void {
    if (record.topic === 'dlq') this.dead.push(record);
    else if (record.topic !== 'deliveries') this.log(record.topic).append(record, Date.now());
    else {
      const meta = decodeDelivery(record.headers?.[DELIVERY_HEADER]);
      if (meta?.dueAt === undefined) throw new Error('a return without a due time');
      this.returned.push({ deliveryId: meta.deliveryId, lateMs: Date.now() - meta.dueAt });
    }
  }
}

beforeAll(() => {
  Logger.overrideLogger(false);
});
beforeEach(() => {
  jest.useFakeTimers({ now: T0 });
});
afterEach(() => {
  jest.useRealTimers();
});

describe('Scheduler', () => {
  it('given waiting records, then due times are the reason; given an overdue record, then no reason', async () => {
    const wheel = new Wheel();
    const tier = wheel.log('retry-1024s');
    for (let count = 0; count < 1_000; count++) wheel.retry(`dlv_${count}`, 1_024_000);
    await wheel.run(1_000);
    expect(wheel.scheduler.waitsFor(tier)).toBe('due times');

    wheel.refuse = () => true;
    await wheel.leap(1_040_000);
    expect(tier.unfinished).toBe(1_000);
    expect(wheel.scheduler.waitsFor(tier)).toBeUndefined();
  });

  it('given a halted scheduler with an overdue record in memory, then no reason is given', async () => {
    const wheel = new Wheel();
    wheel.retry('dlv_1', 4_000);
    await wheel.run(1_000);
    await wheel.scheduler.onRebalancing();

    await wheel.run(4_000);
    expect(wheel.scheduler.waitsFor(wheel.log('retry-4s'))).toBe('due times');
    await wheel.run(6_000);
    expect(wheel.scheduler.waitsFor(wheel.log('retry-4s'))).toBeUndefined();
  });

  it.each([4_000, 16_000, 64_000])(
    'given the preset delay of %i ms, then it returns on the millisecond, by one tier',
    async (delayMs) => {
      const wheel = new Wheel();
      wheel.retry('dlv_1', delayMs);
      await wheel.run(delayMs - 1);
      expect(wheel.returned).toEqual([]);
      await wheel.run(1);
      expect(wheel.returned).toEqual([{ deliveryId: 'dlv_1', lateMs: 0 }]);
      expect([...wheel.logs.values()].map(({ records }) => records.length).reduce((a, b) => a + b)).toBe(1);
    },
  );

  it('given any delays within two minutes, then each delivery returns once, never early, late by at most one fetch', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: MIN_DELAY_MS, max: 120_000 }), { maxLength: 60 }), async (delays) => {
        const wheel = new Wheel();
        delays.forEach((delayMs, index) => {
          wheel.retry(`dlv_${index}`, delayMs);
        });
        await wheel.run(123_000);
        expect(wheel.returned.map(({ deliveryId }) => deliveryId).sort()).toEqual(
          delays.map((_, index) => `dlv_${index}`).sort(),
        );
        for (const { lateMs } of wheel.returned) expect(lateMs).toBeGreaterThanOrEqual(0);
        for (const log of wheel.logs.values()) expect(log.finished.length).toBe(log.records.length);
        // Here a moved record is read up to a second later; a real consumer always has a fetch in flight.
        for (const { lateMs } of wheel.returned) expect(lateMs).toBeLessThanOrEqual(1_000);
      }),
      { numRuns: 15 },
    );
  });

  it('given waits of up to seven days, then each delivery returns once, never early, late by at most 1 s', async () => {
    const delays = [MIN_DELAY_MS, 15_999, 16_001, 65_000, 3_600_000, 86_400_000, 5 * 86_400_000 + 7, MAX_DELAY_MS];
    const wheel = new Wheel();
    delays.forEach((delayMs, index) => {
      wheel.retry(`dlv_${index}`, delayMs);
    });
    await wheel.leap(MAX_DELAY_MS + 10_000);
    expect(wheel.returned.map(({ deliveryId }) => deliveryId)).toEqual(delays.map((_, index) => `dlv_${index}`));
    for (const { lateMs } of wheel.returned) expect(lateMs).toBeGreaterThanOrEqual(0);
    for (const { lateMs } of wheel.returned) expect(lateMs).toBeLessThanOrEqual(1_000);
  });

  it('given far more deliveries than memory, then memory stays bounded, order is kept, and none is lost', async () => {
    const limits = { ...LARGE, eagerBytes: 200_000, tierBytes: 100_000 };
    const wheel = new Wheel(limits);
    const body = 'x'.repeat(1_000);
    for (let index = 0; index < 5_000; index++) wheel.retry(`dlv_${index}`, 16_000, body);
    await wheel.run(16_000);
    await wheel.run(30_000);
    expect(wheel.returned.map(({ deliveryId }) => deliveryId)).toEqual(
      Array.from({ length: 5_000 }, (_, index) => `dlv_${index}`),
    );
    // One batch of a hundred records of 2.6 KB may arrive before the pause takes effect.
    expect(wheel.mostBytes).toBeLessThan(limits.tierBytes + 100 * 2_700);
  });

  it('given a clock that jumps forward, then due deliveries return within a second', async () => {
    const wheel = new Wheel();
    wheel.retry('dlv_1', 15_000);
    await wheel.run(100);
    jest.setSystemTime(T0 + 15_000);
    await jest.advanceTimersByTimeAsync(1_000);
    expect(wheel.returned.length).toBe(1);
  });

  it('given a clock that jumps back, then no delivery returns early', async () => {
    const wheel = new Wheel();
    wheel.retry('dlv_1', 4_000);
    await wheel.run(3_900);
    jest.setSystemTime(T0 - 60_000);
    await wheel.run(63_999);
    expect(wheel.returned).toEqual([]);
    await wheel.run(1);
    expect(wheel.returned).toEqual([{ deliveryId: 'dlv_1', lateMs: 0 }]);
  });

  it('given a record that is no delivery, then it is dead-lettered, finished, and the next ones return', async () => {
    const wheel = new Wheel();
    wheel.log('retry-4s').append({ key: 'k', value: 'not ours' }, T0);
    wheel.retry('dlv_1', 4_000);
    await wheel.run(4_000);
    expect(wheel.dead.map(({ value, headers }) => [String(value), readDeadLetter(headers ?? {})?.source])).toEqual([
      ['not ours', 'retry-4s/0/0'],
    ]);
    expect(wheel.returned.length).toBe(1);
    expect(wheel.log('retry-4s').finished).toEqual([0, 1]);
  });

  it('given a return that Kafka does not acknowledge, then its offset stays unfinished', async () => {
    const wheel = new Wheel();
    const acknowledgement = Promise.withResolvers<void>();
    wheel.acknowledge = acknowledgement.promise;
    wheel.retry('dlv_1', 4_000);
    await wheel.run(5_000);
    expect(wheel.log('retry-4s').finished).toEqual([]);
    acknowledgement.resolve();
    await wheel.run(1);
    expect(wheel.log('retry-4s').finished).toEqual([0]);
  });

  it('given a record that Kafka rejects, then it is written until Kafka accepts it, and other records continue', async () => {
    const wheel = new Wheel();
    wheel.refuse = ({ key }) => key?.toString() === 'dlv_1';
    wheel.retry('dlv_1', 4_000);
    wheel.retry('dlv_2', 4_000);
    await wheel.run(30_000);
    expect(wheel.returned.map(({ deliveryId }) => deliveryId)).toEqual(['dlv_2']);
    expect(wheel.log('retry-4s').finished).toEqual([1]);
    wheel.refuse = undefined;
    await wheel.run(5_000);
    expect(wheel.log('retry-4s').finished).toEqual([1, 0]);
  });

  it('given a lost partition, then none of its deliveries returns', async () => {
    const wheel = new Wheel();
    const log = wheel.log('retry-16s');
    wheel.retry('dlv_1', 16_000);
    wheel.retry('dlv_2', 4_000);
    await wheel.run(1_000);
    log.lose();
    wheel.scheduler.onLost(log);
    await wheel.run(20_000);
    expect(wheel.returned.map(({ deliveryId }) => deliveryId)).toEqual(['dlv_2']);
  });

  it('given the loss of every partition, then no timer is left; given a partition again, then its deliveries return', async () => {
    const wheel = new Wheel();
    wheel.retry('dlv_1', 4_000);
    await wheel.run(1_000);

    await wheel.scheduler.onRebalancing();
    for (const log of wheel.logs.values()) wheel.scheduler.onLost(log);
    wheel.scheduler.onRebalanced();
    expect(jest.getTimerCount()).toBe(0);

    const log = wheel.log('retry-4s');
    wheel.scheduler.onOwned(log);
    wheel.retry('dlv_2', 4_000);
    await wheel.run(10_000);
    expect(wheel.returned).toContainEqual({ deliveryId: 'dlv_2', lateMs: expect.any(Number) });
  });

  it('given a rebalance, then no write starts until its end, and the rebalance waits for writes in flight', async () => {
    const wheel = new Wheel();
    const acknowledgement = Promise.withResolvers<void>();
    wheel.acknowledge = acknowledgement.promise;
    wheel.retry('dlv_1', 4_000);
    wheel.retry('dlv_2', 5_000);
    await wheel.run(4_500);
    let isDrained = false;
    void wheel.scheduler.onRebalancing().then(() => {
      isDrained = true;
    });
    await wheel.run(1_500);
    expect(isDrained).toBe(false);
    acknowledgement.resolve();
    await wheel.run(1_000);
    expect(isDrained).toBe(true);
    expect(wheel.returned.map(({ deliveryId }) => deliveryId)).toEqual(['dlv_1']);
    wheel.scheduler.onRebalanced();
    await wheel.run(10);
    expect(wheel.returned.map(({ deliveryId }) => deliveryId)).toEqual(['dlv_1', 'dlv_2']);
  });
});
