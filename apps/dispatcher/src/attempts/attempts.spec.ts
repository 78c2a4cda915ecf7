import { jest } from '@jest/globals';
import { register } from 'prom-client';
import type { FencedLog } from '#common/kafka/port/owned-log.js';
import { newLife } from '#common/records/delivery-record.js';
import type { DeadLetterSigner } from '#common/security/dead-letter-signer.js';
import type { Delivery } from '../deliveries/delivery.js';
import type { EndpointDirectory } from '../endpoints/endpoint-directory.js';
import type { Attempter } from './attempter.js';
import { Attempts } from './attempts.js';

const LOG = { topic: 'deliveries', partition: 0, lost: new AbortController().signal } as unknown as FencedLog;
const IDENTITY = {
  deliveryId: 'dlv_1',
  eventId: 'e',
  endpointId: 'ep_none',
  tenant: 't',
  eventType: 'a',
  acceptedAt: 0,
};
const DELIVERY: Delivery = {
  ...{ log: LOG, offset: 0, lane: 'ep_none', meta: newLife(IDENTITY), body: Buffer.alloc(0), headers: {} },
  ...{ isReplay: false, parkedAt: undefined, bagIndex: 0 },
};

beforeEach(() => {
  jest.useFakeTimers();
  // A process has one registry; here several follow each other.
  register.clear();
});
afterEach(() => jest.useRealTimers());

/** @returns the ms after which each of the deliveries, made one after the other, was given up */
async function giveUpTimes(attempts: Attempts, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let left = count; left > 0; left--) {
    const from = performance.now();
    const made = attempts.make(DELIVERY);
    await jest.advanceTimersByTimeAsync(0);
    let isOver = false;
    void made.then(() => {
      isOver = true;
    });
    await jest.advanceTimersByTimeAsync(0);
    while (!isOver) await jest.advanceTimersByTimeAsync(100);
    expect((await made)?.records[0]?.headers).toMatchObject({ 'posthorn-dead-reason': 'invalid_endpoint' });
    times.push(performance.now() - from);
  }
  return times;
}

describe('deliveries of an unknown endpoint', () => {
  const directory = { find: () => undefined, wasDeleted: () => false } as unknown as EndpointDirectory;
  const newAttempts = () =>
    new Attempts(directory, {} as Attempter, { sign: () => 'mac' } as unknown as DeadLetterSigner, {
      batchBytes: 1_000_000,
    });

  it('given several in a row, then the first waits for its configuration, and the others do not', async () => {
    const [first = 0, ...others] = await giveUpTimes(newAttempts(), 20);
    expect(first).toBeGreaterThanOrEqual(5_000);
    expect(Math.max(...others)).toBeLessThan(500);
  });

  it('given another one much later, then it waits again', async () => {
    const one = newAttempts();
    await giveUpTimes(one, 1);
    await jest.advanceTimersByTimeAsync(60_000);
    expect((await giveUpTimes(one, 1))[0]).toBeGreaterThanOrEqual(5_000);
  });
});
