import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { Positions } from '#common/domain/positions.js';
import { deadLetterHeaders } from '#common/records/dead-letter-record.js';
import { encodeDelivery } from '#common/records/delivery-record.js';
import { poisonRecord } from '#common/records/poison-record.js';
import type { InRecord } from '#common/records/record.js';
import { DeadLetterSigner } from '#common/security/dead-letter-signer.js';
import { deadRecord } from '../attempts/outcome.js';
import { type Delivery, readDelivery } from './delivery.js';
import { ReplayCheck } from './replay-check.js';

const keyText = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const signer = new DeadLetterSigner(keyText('k1'));
const strict = new ReplayCheck(signer, { requiresMac: true });
const lenient = new ReplayCheck(signer, { requiresMac: false });
const LOG = { topic: 'deliveries', partition: 0 } as Delivery['log'];

const META = {
  deliveryId: 'dlv_1',
  eventId: 'evt_1',
  endpointId: 'ep_1',
  tenant: 'acme',
  eventType: 'invoice.paid',
  attempt: 3,
  replay: 0,
  acceptedAt: 1,
  returned: true,
  place: 7,
  dueAt: undefined,
  tierUntil: undefined,
};
const DELIVERY: Delivery = {
  log: LOG,
  offset: 9,
  lane: 'ep_1:inv-1',
  meta: META,
  body: Buffer.from('{"n":1}'),
  headers: { traceparent: Buffer.from('00-1-2-01') },
  isReplay: false,
  parkedAt: undefined,
  bagIndex: 0,
};

type Bytes = Readonly<Record<string, Buffer | string>>;
const asBytes = (headers: Bytes) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)]));

/** A record of `dlq` as a client copies it. */
function copied(out: { key: Buffer | string | null; value: Buffer | string | null; headers?: Bytes }): InRecord {
  return {
    topic: 'deliveries',
    partition: 0,
    offset: 20,
    timestamp: 2,
    key: Buffer.from(out.key ?? ''),
    value: Buffer.from(out.value ?? ''),
    headers: asBytes(out.headers ?? {}),
  };
}

const dead = (delivery = DELIVERY) =>
  copied(deadRecord(delivery, 'max_retries', { nowMs: 5, signer }, { at: 4, statusCode: 500 }));
const forgedInfo = {
  reason: 'max_retries',
  at: 5,
  detail: 'x',
  lastStatus: 500,
  lastError: undefined,
  source: 'a/0/1',
} as const;
const forged = copied({
  key: 'ep_victim:1',
  value: 'anything',
  headers: { posthorn: encodeDelivery({ ...META, endpointId: 'ep_victim' }), ...deadLetterHeaders(forgedInfo) },
});

const STRICT = {
  positions: new Positions(0),
  maxBatchBytes: 1_048_576,
  replayProblem: (record: InRecord) => strict.problem(record),
};

function without({ headers, ...record }: InRecord, name: string): InRecord {
  return { ...record, headers: Object.fromEntries(Object.entries(headers).filter(([key]) => key !== name)) };
}

describe('a replay', () => {
  it('given a dead letter copied whole, then it is a delivery again, without the MAC', () => {
    const delivery = readDelivery(LOG, dead(), STRICT);
    expect(delivery).toMatchObject({ isReplay: true, meta: { attempt: 0, replay: 1, place: 20 } });
    expect('headers' in delivery && Object.keys(delivery.headers)).toEqual(['traceparent']);
  });

  it('given it dies again, then it has a MAC of its new life', () => {
    const again = readDelivery(LOG, dead(), STRICT);
    if (!('meta' in again)) throw new Error(again.detail);
    const second = dead(again);
    expect(strict.problem(second)).toBeUndefined();
    expect(second.headers['posthorn-mac']).not.toEqual(dead().headers['posthorn-mac']);
  });

  it.each([
    { given: 'another key', change: (record: InRecord) => ({ ...record, key: Buffer.from('ep_2:inv-1') }) },
    { given: 'another value', change: (record: InRecord) => ({ ...record, value: Buffer.from('{"n":2}') }) },
    {
      given: 'another endpoint in the packed header',
      change: (record: InRecord) => ({
        ...record,
        headers: {
          ...record.headers,
          posthorn: Buffer.from(encodeDelivery({ ...META, attempt: 4, endpointId: 'ep_2' })),
        },
      }),
    },
    {
      given: 'a MAC of another system',
      change: (record: InRecord) => ({
        ...record,
        headers: { ...record.headers, 'posthorn-mac': Buffer.from('v1:k1:AAAA') },
      }),
    },
  ])('given $given, then it is refused in either release', ({ change }) => {
    const detail = 'the posthorn-mac header does not match the record';
    expect([strict, lenient].map((check) => check.problem(change(dead())))).toEqual([detail, detail]);
  });

  it('given no MAC, then one release accepts it, and the next refuses it', () => {
    expect([forged, without(dead(), 'posthorn-mac')].map((record) => lenient.problem(record))).toEqual([
      undefined,
      undefined,
    ]);
    expect(strict.problem(forged)).toBe('the dead letter has no posthorn-mac header');
  });

  it('given a key that is gone, then the detail names it', () => {
    const other = new ReplayCheck(new DeadLetterSigner(keyText('k2')), { requiresMac: true });
    expect(other.problem(dead())).toBe('SECRET_KEYS does not name the key "k1" of the posthorn-mac header');
  });

  it('given a forged one that was set aside, then its dead letter has no MAC and is refused, too', () => {
    const setAside = copied(poisonRecord(forged, 'refused', 6, 1_000_000));
    expect(setAside.headers).toMatchObject({ 'posthorn-dead-reason': Buffer.from('payload_error') });
    expect(strict.problem(setAside)).toBe('the dead letter has no posthorn-mac header');
  });
});
