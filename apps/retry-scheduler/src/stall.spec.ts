import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { hopFor } from '#common/domain/tier.js';
import { StallWatch } from '#common/kafka/lag/stall-watch.js';
import { DELIVERY_HEADER, encodeDelivery } from '#common/records/delivery-record.js';
import { MemoryLog } from '../../../test/support/memory-log.js';
import { Returner } from './returner.js';
import { Scheduler } from './scheduler.js';

/*
 * The stall watch (docs/adr/0023) must distinguish a scheduler that waits for due times from one that is stuck.
 */

const T0 = 1_800_000_000_000;
const MILLION = 1_000_000;
const LOOK_MS = 5_000;
const DAY_MS = 86_400_000;
const LIMITS = { eagerBytes: 64 * 1_048_576, tierBytes: 32 * 1_024, batchBytes: 1_048_576 };
const BATCH = 20;

/** A tier with a million records of one due time. A fetch generates its records. */
class FullTier extends MemoryLog {
  readonly header = encodeDelivery({
    ...{ deliveryId: 'dlv_1', eventId: 'evt_1', endpointId: 'ep_1', tenant: 'acme', eventType: 'a.b', attempt: 1 },
    ...{ replay: 0, acceptedAt: T0, returned: false, place: 3 },
    ...{ dueAt: T0 + 2 * DAY_MS, tierUntil: hopFor(2 * DAY_MS, T0).tierUntil },
  });

  override read() {
    if (!this.isPaused && this.records.length < MILLION) {
      for (let n = 0; n < BATCH; n++)
        this.append({ key: 'ep_1:a', value: '{}', headers: { [DELIVERY_HEADER]: this.header } }, T0);
    }
    return super.read(BATCH);
  }
}

beforeEach(() => {
  jest.useFakeTimers({ now: T0 });
});
afterEach(() => {
  jest.useRealTimers();
});

/** Runs the stall watch every 5 s. @returns the time of the first alarm, ms since the start; undefined for none */
async function firstAlarm(scheduler: Scheduler, log: FullTier, ms: number): Promise<number | undefined> {
  const watch = new StallWatch({ stallMs: 30_000, longestGapMs: 3 * LOOK_MS });
  for (let at = 0; at <= ms; at += LOOK_MS) {
    const records = log.read();
    const [first] = records;
    if (first !== undefined) scheduler.take({ log, records, after: first.offset });
    const finished = log.finished.length;
    const place = { name: `${log.topic}/0`, stable: MILLION, commit: finished, position: finished + log.unfinished };
    const work = { unfinished: log.unfinished, isPaused: log.isPaused, hold: scheduler.waitsFor(log) };
    if (watch.look(at, [{ ...place, ...work }]).length > 0) return at;
    await jest.advanceTimersByTimeAsync(LOOK_MS);
  }
  return undefined;
}

function setUp() {
  const log = new FullTier('retry-65536s');
  const scheduler = new Scheduler(new Returner({ write: async () => undefined }), LIMITS, Date.now);
  scheduler.onOwned(log);
  return { log, scheduler };
}

describe('a tier with a million waiting deliveries', () => {
  it('given a scheduler with a full waiting room, then a day passes without an alarm', async () => {
    const { log, scheduler } = setUp();

    expect(await firstAlarm(scheduler, log, DAY_MS)).toBeUndefined();
    expect(log.isPaused || log.finished.length > 0).toBe(true);
  }, 60_000);

  it('given records that the scheduler dropped, then the alarm comes within a minute', async () => {
    const { log, scheduler } = setUp();
    log.read();

    expect(await firstAlarm(scheduler, log, DAY_MS)).toBeLessThan(60_000);
  }, 60_000);
});
