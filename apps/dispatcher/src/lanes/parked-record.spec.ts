import { register } from 'prom-client';
import type { FencedLog } from '#common/kafka/port/owned-log.js';
import type { ParkedRecord } from '#common/postgres/lane-store.js';
import { newLife } from '#common/records/delivery-record.js';
import type { DeadLetterSigner } from '#common/security/dead-letter-signer.js';
import type { Attempter } from '../attempts/attempter.js';
import { Attempts } from '../attempts/attempts.js';
import type { Delivery } from '../deliveries/delivery.js';
import type { EndpointDirectory } from '../endpoints/endpoint-directory.js';
import { parkedRecord, unparked } from './parked-record.js';

const LOG = { topic: 'deliveries', partition: 3 } as FencedLog;
const NAMES = { deliveryId: 'dlv_1', eventId: 'e', endpointId: 'ep_1', tenant: 't', eventType: 'a' };
const DELIVERY: Delivery = {
  ...{ log: LOG, offset: 7, lane: 'ep_1:r', meta: newLife({ ...NAMES, acceptedAt: 5 }), body: Buffer.from('{}') },
  ...{ headers: { own: Buffer.from('x') }, isReplay: false, parkedAt: undefined, bagIndex: 0 },
};
const AT = { lane: 'ep_1:r', place: 7, attempt: 2, reason: 'head', now: 9 };

afterEach(() => register.clear());

describe('a parked row', () => {
  it('given a delivery, when it is parked and read back, then it is the same', () => {
    const { meta, body, headers, unreadable } = unparked(LOG, parkedRecord(DELIVERY, AT));
    expect({ meta, body, headers }).toEqual({
      meta: { ...DELIVERY.meta, place: 7 },
      body: DELIVERY.body,
      headers: { ...DELIVERY.headers },
    });
    expect(unreadable).toBeUndefined();
  });

  it.each([
    { given: 'a header of no format', over: { header: 'junk' }, column: 'header' },
    { given: 'an empty header', over: { header: '' }, column: 'header' },
    { given: 'a header with too few lines', over: { header: '1\na\nb' }, column: 'header' },
    { given: 'headers that are a list', over: { extraHeaders: ['x'] }, column: 'extra_headers' },
    { given: 'headers that are a text', over: { extraHeaders: 'x' }, column: 'extra_headers' },
    { given: 'a value that is no text', over: { extraHeaders: { a: 1 } }, column: 'extra_headers' },
  ])('given $given, then the whole row becomes a dead letter with the reason', ({ over, column }) => {
    const row = { ...parkedRecord(DELIVERY, AT), ...over } as ParkedRecord;
    const limits = { batchBytes: 1_000_000 };
    const attempts = new Attempts({} as EndpointDirectory, {} as Attempter, {} as DeadLetterSigner, limits);

    const delivery = unparked(LOG, row);

    expect(delivery).toMatchObject({ lane: 'ep_1:r', meta: { endpointId: 'ep_1', deliveryId: 'dlv_1' } });
    expect(attempts.givenUp(delivery, { reason: 'expired', detail: 'not this one' })).toMatchObject({
      topic: 'dlq',
      key: Buffer.from('ep_1:r'),
      value: row.body,
      headers: {
        posthorn: Buffer.from(row.header),
        'posthorn-dead-reason': 'payload_error',
        'posthorn-dead-detail': `the parked row is malformed: its column ${column} cannot be read`,
        'posthorn-dead-source': 'deliveries/3/7',
      },
    });
  });
});
