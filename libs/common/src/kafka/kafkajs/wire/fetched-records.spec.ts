import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import Decoder from 'kafkajs/src/protocol/decoder.js';
import decodeBatch from 'kafkajs/src/protocol/recordBatch/v0/decoder.js';
import { MAX_TIME_MS } from '../../../records/limits.js';
import { leastMs } from '../../../testing/least-ms.js';
import type { FetchedLog } from '../../partition/fetched-log.js';
import { type AbortedTransaction, FetchedRecords } from './fetched-records.js';
import type { EncodableRecord } from './produce-request.js';
import { BATCH_TIME, type BatchOptions, batchOf, marker } from './testing/batches.js';

const SOURCE = { topic: 'log', partition: 3 };
const BOUNDS = { highWatermark: 100, lastStable: 100, logStart: 0 };
const MIB = 1_048_576;

function read(bytes: Buffer, from = 0, aborted: readonly AbortedTransaction[] = []): Promise<FetchedLog> {
  return new FetchedRecords(bytes, aborted, BOUNDS).read(from, SOURCE);
}

const plain = (...values: string[]): EncodableRecord[] => values.map((value) => ({ key: 'k', value }));
const values = ({ records }: FetchedLog) => records.map(({ value }) => String(value));

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const content = fc.option(fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), bytes(200)));
const anyRecord = (name: fc.Arbitrary<string>) =>
  fc.record<EncodableRecord>({
    key: content,
    value: content,
    headers: fc.dictionary(name, bytes(200), { maxKeys: 4, noNullPrototype: true }),
  });

describe('what is read of a fetch', () => {
  it('given any records, then all are read as they were written, whatever their headers are called', async () => {
    const name = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString', ''));
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyRecord(name), { minLength: 1, maxLength: 20 }),
        fc.nat(2 ** 40),
        async (written, at) => {
          const { records, next } = await read(batchOf(written, { baseOffset: at }), at);
          expect(next).toBe(at + written.length);
          for (const [index, { key = null, value, headers = {} }] of written.entries()) {
            const found = records[index];
            expect(found).toMatchObject({ ...SOURCE, offset: at + index, timestamp: BATCH_TIME, oversized: undefined });
            expect(found?.key).toEqual(key === null ? null : Buffer.from(key));
            expect(found?.value).toEqual(value === null ? null : Buffer.from(value));
            expect(Object.entries(found?.headers ?? {})).toEqual(Object.entries(headers));
            expect(found?.headers).not.toBeInstanceOf(Object);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('given any records with usual headers, then they are what kafkajs reads', async () => {
    const name = fc.string({ minLength: 1 }).filter((text) => !(text in {}));
    await fc.assert(
      fc.asyncProperty(fc.array(anyRecord(name), { minLength: 1, maxLength: 20 }), async (written) => {
        const batch = batchOf(written, { baseOffset: 7 });
        const theirs = await decodeBatch(new Decoder(batch));
        const ours = await read(batch);
        const asTheirs = ours.records.map(({ offset, timestamp, key, value, headers }) => {
          return { offset: String(offset), timestamp: String(timestamp), key, value, headers: { ...headers } };
        });
        expect(theirs.records).toMatchObject(asTheirs);
      }),
      { numRuns: 40 },
    );
  });

  it('given a batch that begins before the fetched offset, then its older records are left out', async () => {
    const reading = await read(batchOf(plain('a', 'b', 'c', 'd'), { baseOffset: 10 }), 12);
    expect(values(reading)).toEqual(['c', 'd']);
    expect(reading.next).toBe(14);
  });

  it('given a last batch that is cut, wherever, then what is whole is read, and the next fetch begins there', async () => {
    const whole = batchOf(plain('a', 'b'), { baseOffset: 5 });
    const cut = batchOf(plain('c'), { baseOffset: 7 });
    for (let length = 0; length < cut.length; length++) {
      const reading = await read(Buffer.concat([whole, cut.subarray(0, length)]), 5);
      expect(values(reading)).toEqual(['a', 'b']);
      expect(reading.next).toBe(7);
    }
  });

  it.each([
    { given: 'nothing', bytes: Buffer.alloc(0), next: 4 },
    {
      given: 'a batch that compaction has emptied',
      bytes: batchOf([], { baseOffset: 4, lastOffsetDelta: 5 }),
      next: 10,
    },
    {
      given: 'a batch whose last records compaction took',
      bytes: batchOf(plain('a'), { baseOffset: 4, lastOffsetDelta: 8 }),
      next: 13,
    },
    { given: 'the end of a transaction', bytes: marker('commit', 1, 4), next: 5 },
    { given: 'the end of an aborted transaction of an earlier fetch', bytes: marker('abort', 1, 4), next: 5 },
  ])('given $given, then the next fetch begins at $next', async ({ bytes, next }) => {
    expect((await read(bytes, 4)).next).toBe(next);
  });

  it('given the time of the broker, then all records have it', async () => {
    const batch = batchOf(plain('a', 'b'), { isAppendTime: true });
    batch.writeBigInt64BE(42n, 35);
    expect((await read(batch)).records.map(({ timestamp }) => timestamp)).toEqual([42, 42]);
  });

  it.each([
    { given: 'the last 64-bit number', written: 2n ** 63n - 1n, time: MAX_TIME_MS },
    { given: 'none', written: -1n, time: 0 },
  ])('given $given as the time of a producer, then it is one that can be stored', async ({ written, time }) => {
    const batch = batchOf(plain('a'));
    batch.writeBigInt64BE(written, 27);
    expect((await read(batch)).records.map(({ timestamp }) => timestamp)).toEqual([time]);
  });

  it('given batches of several leaders, then the last leader epoch is known', async () => {
    const log = Buffer.concat([
      batchOf(plain('a'), { leaderEpoch: 3 }),
      batchOf(plain('b'), { baseOffset: 1, leaderEpoch: 5 }),
    ]);
    expect((await read(log)).leaderEpoch).toBe(5);
  });
});

describe('transactions', () => {
  const inTransaction = (producerId: number, baseOffset: number, ...texts: string[]) =>
    batchOf(plain(...texts), { producerId, baseOffset, isTransactional: true });

  it('given aborted and committed ones among one another, then the committed records are read, in order', async () => {
    const log = Buffer.concat([
      inTransaction(1, 0, 'aborted', 'aborted'),
      inTransaction(2, 2, 'committed'),
      batchOf(plain('plain'), { baseOffset: 3 }),
      inTransaction(1, 4, 'aborted'),
      marker('abort', 1, 5),
      inTransaction(1, 6, 'its next'),
      marker('commit', 2, 7),
      marker('commit', 1, 8),
    ]);
    const reading = await read(log, 0, [{ producerId: 1n, firstOffset: 0 }]);
    expect(values(reading)).toEqual(['committed', 'plain', 'its next']);
    expect(reading.next).toBe(9);
  });

  it('given an aborted one that began in an earlier fetch and ends in a later one, then nothing of it is read', async () => {
    const log = Buffer.concat([inTransaction(1, 50, 'aborted'), inTransaction(1, 51, 'aborted')]);
    const reading = await read(log, 50, [{ producerId: 1n, firstOffset: 10 }]);
    expect(values(reading)).toEqual([]);
    expect(reading.next).toBe(52);
  });

  it('given two aborted ones of one producer, unsorted, then what it committed between them is read', async () => {
    const log = Buffer.concat([
      inTransaction(1, 0, 'aborted'),
      marker('abort', 1, 1),
      inTransaction(1, 2, 'committed'),
      marker('commit', 1, 3),
      inTransaction(1, 4, 'aborted'),
      marker('abort', 1, 5),
    ]);
    const aborted = [4, 0].map((firstOffset) => ({ producerId: 1n, firstOffset }));
    expect(values(await read(log, 0, aborted))).toEqual(['committed']);
  });

  it('given an idempotent producer of the same id without a transaction, then its records are read', async () => {
    const log = batchOf(plain('plain'), { producerId: 1 });
    expect(values(await read(log, 0, [{ producerId: 1n, firstOffset: 0 }]))).toEqual(['plain']);
  });

  /** A log as several producers write it, and what each fetch of it must come to. */
  it('given any log of transactions, read by fetches of any size, then exactly the committed records are read', async () => {
    const step = fc.tuple(fc.nat(2), fc.constantFrom('write', 'commit', 'abort'), fc.integer({ min: 1, max: 3 }));
    const sizes = fc.array(fc.integer({ min: 100, max: 900 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), sizes, async (steps, fetchSizes) => {
        const log = simulate(steps);
        const seen: string[] = [];
        let next = 0;
        for (let fetch = 0; next < log.end; fetch++) {
          const reading = await log.fetch(next, fetchSizes[fetch % fetchSizes.length] ?? 100);
          expect(reading.next).toBeGreaterThan(next);
          next = reading.next;
          seen.push(...values(reading));
        }
        expect(seen).toEqual(log.committed);
      }),
      { numRuns: 150 },
    );
  });
});

interface Batch {
  readonly bytes: Buffer;
  readonly first: number;
  readonly last: number;
}

/** Three producers write batches of up to three records; what is open at the end is aborted. */
function simulate(steps: readonly (readonly [number, string, number])[]) {
  const batches: Batch[] = [];
  const aborted: { producerId: bigint; firstOffset: number; lastOffset: number }[] = [];
  const open = new Map<number, { first: number; values: string[] }>();
  const outcomes = new Map<string, boolean>();
  let end = 0;
  const append = (bytes: Buffer, count: number) => {
    batches.push({ bytes, first: end, last: end + count - 1 });
    end += count;
  };
  const finish = (producerId: number, how: 'commit' | 'abort') => {
    const transaction = open.get(producerId);
    if (transaction === undefined) return;
    open.delete(producerId);
    for (const value of transaction.values) outcomes.set(value, how === 'commit');
    if (how === 'abort')
      aborted.push({ producerId: BigInt(producerId), firstOffset: transaction.first, lastOffset: end });
    append(marker(how, producerId, end), 1);
  };
  for (const [producerId, what, count] of steps) {
    if (what !== 'write') {
      finish(producerId, what === 'commit' ? 'commit' : 'abort');
      continue;
    }
    const texts = Array.from({ length: count }, (_, index) => `v${end + index}`);
    const transaction = open.get(producerId) ?? { first: end, values: [] };
    transaction.values.push(...texts);
    open.set(producerId, transaction);
    for (const text of texts) outcomes.set(text, false);
    append(batchOf(plain(...texts), { producerId, baseOffset: end, isTransactional: true }), count);
  }
  for (const producerId of [...open.keys()]) finish(producerId, 'abort');
  const committed = [...outcomes].filter(([, isCommitted]) => isCommitted).map(([text]) => text);
  /** As a broker answers: whole batches from the one with the offset on, at least one, then a piece of the next. */
  const fetch = (from: number, size: number): Promise<FetchedLog> => {
    const rest = batches.filter(({ last }) => last >= from);
    const set = Buffer.concat(rest.map(({ bytes }) => bytes));
    const cut = set.subarray(0, Math.max(size, rest[0]?.bytes.length ?? 0));
    const overlapping = aborted.filter(({ lastOffset }) => lastOffset >= from);
    return read(Buffer.from(cut), from, overlapping);
  };
  return { end, committed, fetch };
}

describe('records that cannot be taken', () => {
  it.each([
    { given: 'an old message format', options: { magic: 1 }, reason: 'older than 2' },
    { given: 'an unknown codec', options: { codec: 7 }, reason: 'codec 7' },
    { given: 'bytes that do not inflate', options: { codec: 1, pack: () => Buffer.from('no gzip') }, reason: 'header' },
    {
      given: 'a gzip bomb',
      options: { codec: 1, pack: () => gzipSync(Buffer.alloc(100 * MIB)) },
      reason: 'inflates to more than',
    },
  ] satisfies { given: string; options: BatchOptions; reason: string }[])(
    'given $given, then the batch is one record that says why, and what follows is read',
    async ({ options, reason }) => {
      const bad = batchOf(plain('a', 'b'), { baseOffset: 0, ...options });
      const reading = await read(Buffer.concat([bad, batchOf(plain('c'), { baseOffset: 2 })]));
      expect(reading.records).toHaveLength(2);
      expect(reading.records[0]?.value?.equals(bad)).toBe(true);
      expect(reading.records[0]).toMatchObject({ key: null, oversized: expect.stringContaining(reason) });
      expect(String(reading.records[1]?.value)).toBe('c');
      expect(reading.next).toBe(3);
    },
  );

  it('given a record whose lengths point beyond it, then those before it are read, and the batch stands for the rest', async () => {
    const bad = batchOf(plain('a', 'b', 'c'), { baseOffset: 4 });
    // The length of the second record's key.
    bad[bad.indexOf('b') - 3] = 0x7e;
    const reading = await read(Buffer.concat([bad, batchOf(plain('d'), { baseOffset: 7 })]), 4);
    expect(reading.records.map(({ offset, oversized }) => [offset, oversized === undefined])).toEqual([
      [4, true],
      [6, false],
      [7, true],
    ]);
    expect(reading.next).toBe(8);
  });

  it('given any damage to the records of a batch, then reading ends, in order, at the end of the fetch', async () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(damage, async (changes) => {
        const bad = batchOf([...plain('first', 'second'), { key: null, value: 'v', headers: { a: 'b', c: 'd' } }]);
        for (const [at, byte] of changes) bad[61 + (at % (bad.length - 61))] = byte;
        const reading = await read(Buffer.concat([bad, batchOf(plain('good'), { baseOffset: 3 })]));
        const offsets = reading.records.map(({ offset }) => offset);
        expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
        expect(values(reading).at(-1)).toBe('good');
        expect(reading.next).toBe(4);
      }),
      { numRuns: 300 },
    );
  });

  const headersOf = (count: number, bytes = 1, prefix = 'h') =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix}${index}`, Buffer.alloc(bytes)]));

  it.each([
    { given: '256 headers', headers: headersOf(256), isTaken: true },
    {
      given: '256 headers and 16 of our own',
      headers: { ...headersOf(256), ...headersOf(16, 1, 'posthorn-') },
      isTaken: true,
    },
    { given: '257 headers', headers: headersOf(257), isTaken: false },
    { given: '17 of our own', headers: headersOf(17, 1, 'posthorn-'), isTaken: false },
    { given: '15 000 headers', headers: headersOf(15_000), isTaken: false },
    { given: 'headers of 60 KiB', headers: headersOf(60, 1_000), isTaken: true },
    { given: 'headers of 70 KiB', headers: headersOf(70, 1_024), isTaken: false },
    { given: 'a header of a megabyte', headers: headersOf(1, MIB), isTaken: false },
  ])('given $given, then the record is taken: $isTaken', async ({ headers, isTaken }) => {
    const written = [{ key: 'k', value: 'v', headers }, ...plain('next')];
    const { records } = await read(batchOf(written));
    expect(records[0]?.oversized === undefined).toBe(isTaken);
    expect(Object.keys(records[0]?.headers ?? {}).length).toBeLessThanOrEqual(272);
    expect(records[0]).toMatchObject({ key: Buffer.from('k'), value: Buffer.from('v') });
    expect(String(records[1]?.value)).toBe('next');
  });

  it('given a name that comes twice, and null, then the last value counts, and null is empty', async () => {
    const batch = batchOf([{ key: null, value: null, headers: { aa: 'x', ab: 'y', n: null as unknown as string } }]);
    batch[batch.lastIndexOf('ab') + 1] = 'a'.charCodeAt(0);
    const { records } = await read(batch);
    expect({ ...records[0]?.headers }).toEqual({ aa: Buffer.from('y'), n: Buffer.alloc(0) });
  });
});

describe('the time it takes', () => {
  it.each([
    { given: 'small records', written: () => many(9_000, () => ({ key: 'k', value: 'v'.repeat(100) })) },
    {
      given: 'records of a thousand headers',
      written: () => many(90, () => ({ key: 'k', value: 'v', headers: manyHeaders(1_000, 8) })),
    },
    {
      given: 'records of as many headers as are taken, the shortest there are',
      written: () => many(1_100, () => ({ key: null, value: null, headers: manyHeaders(256, 0) })),
    },
  ])('given $given, then a mebibyte holds the event loop at most 10 ms', async ({ written }) => {
    const batch = batchOf(written());
    const heldMs = await leastMs(() => longestHold(() => forEachReading(batch, () => undefined)), 10);
    expect(batch.length).toBeGreaterThan(0.9 * MIB);
    expect(heldMs).toBeLessThan(10);
  });

  it('given more records than one reading takes, then the next fetches have the rest', async () => {
    const batch = batchOf(many(25_000, (index) => ({ key: null, value: String(index) })));
    const readings: FetchedLog[] = [];
    await forEachReading(batch, (reading) => readings.push(reading));
    for (const { records } of readings) expect(records.length).toBeLessThanOrEqual(10_000);
    const seen = readings.flatMap(values);
    expect(readings.length).toBeGreaterThan(1);
    expect(seen).toEqual(Array.from({ length: 25_000 }, (_, index) => String(index)));
  });
});

function many(count: number, make: (index: number) => EncodableRecord): EncodableRecord[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

function manyHeaders(count: number, valueBytes: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [index.toString(36), 'v'.repeat(valueBytes)]));
}

/** By as many fetches as it takes. Between two fetches a consumer waits for its broker, so the event loop turns. */
async function forEachReading(batch: Buffer, take: (reading: FetchedLog) => void): Promise<void> {
  const end = batch.readInt32BE(23) + 1;
  for (let next = 0; next < end; ) {
    const reading = await read(batch, next);
    next = reading.next;
    take(reading);
    await new Promise(setImmediate);
  }
}

/** @returns the longest time between two turns of the event loop during the work, in ms */
async function longestHold(work: () => Promise<unknown>): Promise<number> {
  let longestMs = 0;
  let turnAt = performance.now();
  let isOver = false;
  const turn = () => {
    longestMs = Math.max(longestMs, performance.now() - turnAt);
    turnAt = performance.now();
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await work();
  isOver = true;
  await new Promise(setImmediate);
  return longestMs;
}
