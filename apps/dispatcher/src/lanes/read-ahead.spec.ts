import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { register } from 'prom-client';
import { ReadAhead, type Reader } from './read-ahead.js';

/** Room for four pages of one endpoint and sixteen in all, when a page takes what is expected of the first. */
const PAGE = 64 * 1_024;
const BYTES = 2 * 16 * PAGE;
const FULL = 16;
const FULL_OF_ENDPOINT = 4;

let readAhead: ReadAhead;
let loss: AbortController;

beforeEach(() => {
  readAhead = new ReadAhead({ endpointQueue: 1, slowAfterMs: 1, bytes: BYTES });
  loss = new AbortController();
});
afterEach(() => register.clear());

const lane = (endpointId: string): Reader => ({ endpointId, readBytes: 0 });
const lanes = (endpointId: string, count: number) => Array.from({ length: count }, () => lane(endpointId));
const entered = (readers: readonly Reader[]) => readers.filter((reader) => readAhead.tryEnter(reader)).length;

/** @returns the names of those that were let in by now, in order */
async function orderOf(waiting: Record<string, Reader>, act: () => void): Promise<string[]> {
  const order: string[] = [];
  for (const [name, reader] of Object.entries(waiting)) {
    void readAhead.enter(reader, loss.signal).then(() => order.push(name));
  }
  act();
  await new Promise(setImmediate);
  return order;
}

describe('ReadAhead', () => {
  it('given many lanes of an endpoint, then a quarter of the room is theirs', () => {
    expect(entered(lanes('a', 10))).toBe(FULL_OF_ENDPOINT);
    expect(entered([lane('b')])).toBe(1);
  });

  it('given many endpoints, then all of the room is theirs, and no more', () => {
    const all = Array.from({ length: 10 }, (_, index) => lanes(`e${index}`, 3)).flat();

    expect(entered(all)).toBe(FULL);
  });

  it('given pages that are smaller than expected, then more fit', () => {
    const [first, ...more] = lanes('a', 1_000);
    if (first) readAhead.tryEnter(first);
    for (let pages = 0; pages < 500; pages++) if (first) readAhead.read(first, 1_000);

    expect(entered(more)).toBeGreaterThan(10 * FULL_OF_ENDPOINT);
  });

  it('given a page that is larger than all the room, then it is read nevertheless, alone', () => {
    const [first, second] = [lane('a'), lane('a')];
    readAhead.tryEnter(first);
    readAhead.read(first, BYTES);

    expect(readAhead.tryEnter(second)).toBe(false);
    readAhead.hold(first, 0);
    expect(readAhead.tryEnter(second)).toBe(true);
  });

  it('given room for one, when lanes of two endpoints wait, then they take turns', async () => {
    const holders = Array.from({ length: FULL }, (_, index) => lane(`holder-${index}`));
    expect(entered(holders)).toBe(FULL);
    const waiting = { a1: lane('a'), a2: lane('a'), b1: lane('b') };

    const order = await orderOf(waiting, () => {
      for (const holder of holders.slice(0, 3)) readAhead.hold(holder, 0);
    });

    expect(order).toEqual(['a1', 'b1', 'a2']);
    expect(readAhead.isWaiting('a')).toBe(false);
  });

  it('given a lane that waits, when another of its endpoint comes, then it waits, too', async () => {
    const holders = lanes('a', FULL_OF_ENDPOINT);
    expect(entered(holders)).toBe(FULL_OF_ENDPOINT);

    await orderOf({ first: lane('a') }, () => undefined);

    expect(readAhead.isWaiting('a')).toBe(true);
    expect(readAhead.tryEnter(lane('a'))).toBe(false);
  });

  it('given a lane whose log was lost, then no room is held for it', async () => {
    const holders = lanes('a', FULL_OF_ENDPOINT);
    expect(entered(holders)).toBe(FULL_OF_ENDPOINT);
    const lost = lane('a');

    const order = await orderOf({ lost }, () => {
      loss.abort();
      for (const holder of holders) readAhead.hold(holder, 0);
    });

    expect([order, lost.readBytes, readAhead.isWaiting('a')]).toEqual([[], 0, false]);
    expect(entered(lanes('a', 10))).toBe(FULL_OF_ENDPOINT);
  });
});
