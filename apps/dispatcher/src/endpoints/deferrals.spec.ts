import { beforeEach, describe, expect, it } from '@jest/globals';
import { register } from 'prom-client';
import { type FencedLog, RecordsGoneError } from '#common/kafka/port/owned-log.js';
import { encodeDelivery, newLife } from '#common/records/delivery-record.js';
import type { InRecord } from '#common/records/record.js';
import type { Delivery } from '../deliveries/delivery.js';
import { Deferrals } from './deferrals.js';
import type { Gates } from './gates.js';

/** One log of many deliveries, in memory, and gates that are full or not. */
class Scene {
  readonly full = new Set<string>();
  readonly records: InRecord[] = [];
  /** Offsets that were taken again, by endpoint. */
  readonly taken: [string, number][] = [];
  readonly reads: number[] = [];
  readonly pauses = new Set<string>();
  readonly lost = new AbortController();
  deferredOf = new Map<string, number>();
  isAbandoned = false;
  logStart = 0;
  /** Deliveries that the endpoint takes before it is full again. */
  room = Number.POSITIVE_INFINITY;
  readonly log: FencedLog;
  readonly deferrals: Deferrals;

  constructor() {
    const gateOf = (id: string) => ({
      isFull: this.full.has(id),
      countDeferred: (change: number) => this.deferredOf.set(id, (this.deferredOf.get(id) ?? 0) + change),
    });
    this.deferrals = new Deferrals({ of: gateOf } as unknown as Gates);
    this.log = {
      topic: 'deliveries',
      partition: 0,
      deferred: 0,
      lost: this.lost.signal,
      pause: (reason: string) => this.pauses.add(reason),
      resume: (reason: string) => this.pauses.delete(reason),
      abandon: () => {
        this.isAbandoned = true;
        this.lost.abort();
      },
      readAgain: (from: number) => this.readAgain(from),
    } as unknown as FencedLog;
    this.deferrals.listen((_log, record) => {
      const id = this.endpointOf(record.offset);
      this.taken.push([id, record.offset]);
      if (--this.room <= 0) this.full.add(id);
    });
  }

  /** The log has one more record, which is read. @returns whether it was deferred */
  arrives(endpointId: string): boolean {
    const offset = this.records.length;
    const ids = { deliveryId: `dlv_${offset}`, eventId: 'evt', endpointId, tenant: 't', eventType: 'a' };
    const header = Buffer.from(encodeDelivery(newLife({ ...ids, acceptedAt: 1 })));
    const key = Buffer.from(endpointId);
    this.records.push({
      ...{ topic: 'deliveries', partition: 0, offset, timestamp: 1, key, value: Buffer.alloc(0) },
      headers: { posthorn: header },
    });
    return this.deferrals.defers({ log: this.log, offset, meta: { endpointId } } as unknown as Delivery);
  }

  endpointOf(offset: number): string {
    return String(this.records[offset]?.key);
  }

  private async readAgain(from: number) {
    this.reads.push(from);
    if (from < this.logStart) throw new RecordsGoneError('gone');
    const records = this.records.slice(from, from + 4);
    return { records, next: from + records.length };
  }
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 10));

describe('Deferrals', () => {
  let scene: Scene;
  beforeEach(() => {
    register.clear();
    scene = new Scene();
  });

  it('given an endpoint with room, then nothing is deferred', () => {
    expect([scene.arrives('a'), scene.arrives('b')]).toEqual([false, false]);
    expect(scene.log.deferred).toBe(0);
  });

  it('given a full endpoint, then its deliveries are deferred, those of others are not, and it gets them in order when it has room', async () => {
    scene.full.add('a');
    const arrivals = ['a', 'b', 'a', 'b', 'b', 'b', 'a', 'a'];
    expect(arrivals.map((id) => scene.arrives(id))).toEqual(arrivals.map((id) => id === 'a'));
    expect([scene.log.deferred, scene.deferredOf.get('a')]).toEqual([4, 4]);
    scene.full.clear();
    scene.deferrals.resume('a');
    await settled();
    expect(scene.taken).toEqual([0, 2, 6, 7].map((offset) => ['a', offset]));
    expect([scene.log.deferred, scene.deferredOf.get('a'), scene.deferrals.has(scene.log)]).toEqual([0, 0, false]);
    expect(scene.arrives('a')).toBe(false);
  });

  it('given an endpoint with room and deferred deliveries, then a later delivery is deferred, too: it must not overtake them', async () => {
    scene.full.add('a');
    scene.arrives('a');
    scene.full.clear();
    expect(scene.arrives('a')).toBe(true);
    scene.deferrals.resume('a');
    expect(scene.arrives('a')).toBe(true);
    await settled();
    expect(scene.taken.map(([, offset]) => offset)).toEqual([0, 1, 2]);
  });

  it('given an endpoint that is full again in between, then the rest waits for its next room', async () => {
    scene.full.add('a');
    for (let count = 0; count < 10; count++) scene.arrives('a');
    scene.full.clear();
    scene.room = 3;
    scene.deferrals.resume('a');
    await settled();
    expect(scene.taken.map(([, offset]) => offset)).toEqual([0, 1, 2]);
    expect(scene.log.deferred).toBe(7);
    scene.full.clear();
    scene.room = Number.POSITIVE_INFINITY;
    scene.deferrals.resume('a');
    await settled();
    expect(scene.taken.map(([, offset]) => offset)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('given two endpoints, one of which stays full, then the other gets its deliveries', async () => {
    scene.full.add('a').add('b');
    for (let count = 0; count < 12; count++) scene.arrives(count % 2 === 0 ? 'a' : 'b');
    scene.full.delete('b');
    scene.deferrals.resume('b');
    await settled();
    expect(scene.taken).toEqual([1, 3, 5, 7, 9, 11].map((offset) => ['b', offset]));
    expect([scene.log.deferred, scene.deferrals.has(scene.log)]).toEqual([6, true]);
  });

  it('given a log that is lost, then nothing of it is read again, and its endpoints have no deferred deliveries', async () => {
    scene.full.add('a');
    scene.arrives('a');
    scene.lost.abort();
    scene.deferrals.lose(scene.log);
    scene.full.clear();
    scene.deferrals.resume('a');
    await settled();
    expect([scene.reads, scene.deferredOf.get('a')]).toEqual([[], 0]);
  });

  it('given records that retention removed, then the log is given up: its next owner counts them', async () => {
    scene.full.add('a');
    scene.arrives('a');
    scene.arrives('a');
    scene.logStart = 1;
    scene.full.clear();
    scene.deferrals.resume('a');
    await settled();
    expect([scene.isAbandoned, scene.taken]).toEqual([true, []]);
  });

  it('given as many deferred deliveries as there may be, then the log pauses until half of them are read again', async () => {
    scene.full.add('a');
    for (let count = 0; count < 199_999; count++) scene.arrives('a');
    expect(scene.pauses.size).toBe(0);
    scene.arrives('a');
    expect(scene.pauses).toEqual(new Set(['deferrals']));
    scene.full.clear();
    scene.room = 99_000;
    scene.deferrals.resume('a');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect([scene.log.deferred, scene.pauses.size]).toEqual([101_000, 1]);
    scene.full.clear();
    scene.room = 1_000;
    scene.deferrals.resume('a');
    await settled();
    expect([scene.log.deferred, scene.pauses.size]).toEqual([100_000, 0]);
  });
});
