import { jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
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
  jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
  // A process has one registry; here several follow each other.
  register.clear();
});
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

/** A directory that knows no endpoint, and the times it caught up with its topic. */
function emptyDirectory() {
  const directory = {
    caughtUp: 0,
    problem: undefined as Error | undefined,
    find: () => undefined,
    wasDeleted: () => false,
  };
  const catchUp = async () => {
    if (directory.problem !== undefined) throw directory.problem;
    directory.caughtUp++;
  };
  return Object.assign(directory, { catchUp });
}

function attemptsWith(directory: object): Attempts {
  const signer = { sign: () => 'mac' } as unknown as DeadLetterSigner;
  return new Attempts(directory as EndpointDirectory, {} as Attempter, signer, { batchBytes: 1_000_000 });
}

async function expectGivenUp(attempts: Attempts): Promise<void> {
  const made = await attempts.make(DELIVERY);
  expect(made?.records[0]?.headers).toMatchObject({ 'posthorn-dead-reason': 'invalid_endpoint' });
}

describe('deliveries of an unknown endpoint', () => {
  it('given several in a row, then the directory catches up once before all are given up', async () => {
    const directory = emptyDirectory();
    const attempts = attemptsWith(directory);
    for (let left = 20; left > 0; left--) await expectGivenUp(attempts);
    expect(directory.caughtUp).toBe(1);
  });

  it('given another one much later, then the directory catches up again', async () => {
    const directory = emptyDirectory();
    const attempts = attemptsWith(directory);
    await expectGivenUp(attempts);
    await jest.advanceTimersByTimeAsync(60_000);
    await expectGivenUp(attempts);
    expect(directory.caughtUp).toBe(2);
  });

  it('given that Kafka does not answer for an hour, then nothing is given up until it does', async () => {
    const directory = emptyDirectory();
    directory.problem = new Error('no leader');
    let isOver = false;
    const given = expectGivenUp(attemptsWith(directory)).then(() => {
      isOver = true;
    });
    await jest.advanceTimersByTimeAsync(3_600_000);
    expect(isOver).toBe(false);
    directory.problem = undefined;
    await jest.advanceTimersByTimeAsync(1_000);
    await given;
  });
});
