import { deliveryIdOf } from '../domain/identifiers.js';
import { partitionOf } from '../kafka/port/partitioner.js';
import { encodeDelivery, newLife } from './delivery-record.js';
import { MAX_COUNT } from './limits.js';
import { receiveDelivery } from './received-delivery.js';
import type { InRecord } from './record.js';

const DELIVERY = {
  deliveryId: deliveryIdOf('acme', 'evt_1', 'ep_1'),
  eventId: 'evt_1',
  endpointId: 'ep_1',
  tenant: 'acme',
  eventType: 'invoice.paid',
  acceptedAt: 1_700_000_000_000,
};
const MAX_BATCH_BYTES = 100_000;

function record(key: Buffer | string, over: Partial<InRecord> = {}): InRecord {
  const headers = { posthorn: Buffer.from(encodeDelivery(newLife(DELIVERY))) };
  const at = { topic: 'deliveries', partition: 0, offset: 3, timestamp: 1_000 };
  return { ...at, key: Buffer.from(key), value: Buffer.from('{}'), headers, ...over };
}

const receive = (given: InRecord) => receiveDelivery(given, MAX_BATCH_BYTES);

describe('receiveDelivery', () => {
  it.each(['ep_1', 'ep_1:invoice-7', 'ep_1:Müller/€', `ep_1:${'€'.repeat(256)}`, DELIVERY.deliveryId])(
    'given the lane %s, then it is a delivery',
    (lane) => {
      expect(receive(record(lane))).toMatchObject({ lane, meta: DELIVERY, key: Buffer.from(lane) });
    },
  );

  it.each([
    { given: 'an empty key', key: '', problem: 'no key' },
    { given: 'a NUL', key: 'ep_1:a\0b', problem: 'control characters' },
    { given: 'a line feed', key: 'ep_1:a\nb', problem: 'control characters' },
    { given: 'bytes that are not UTF-8', key: Buffer.from([...Buffer.from('ep_1:'), 0xff, 0xfe]), problem: 'not text' },
    {
      given: 'a surrogate in UTF-8',
      key: Buffer.from([...Buffer.from('ep_1:'), 0xed, 0xa0, 0x80]),
      problem: 'not text',
    },
    { given: 'a key too long for an index', key: `ep_1:${'x'.repeat(2_000)}`, problem: '1024 bytes' },
    { given: 'the lane of another endpoint', key: 'ep_2:invoice-7', problem: 'not a lane of the delivery' },
    { given: 'an endpoint whose id only begins alike', key: 'ep_10', problem: 'not a lane of the delivery' },
    { given: 'the id of another delivery', key: 'dlv_1', problem: 'not a lane of the delivery' },
  ])('given $given as key, then it is refused', ({ key, problem }) => {
    expect(receive(record(key))).toContain(problem);
  });

  it('given keys that are not UTF-8, then their text may lie on another partition than their bytes', () => {
    const keys = [0x80, 0xc0, 0xfe, 0xff].map((byte) => Buffer.from([...Buffer.from('ep_1:'), byte]));
    expect(keys.some((key) => partitionOf(key.toString(), 8) !== partitionOf(key, 8))).toBe(true);
  });

  it.each([
    { given: 'no value', over: { value: null }, problem: 'no value' },
    ...[{ attempt: MAX_COUNT }, { replay: MAX_COUNT }].map((count) => ({
      given: `a count after which none can be written: ${JSON.stringify(count)}`,
      over: { headers: { posthorn: Buffer.from(encodeDelivery({ ...newLife(DELIVERY), ...count })) } },
      problem: 'attempts or replays',
    })),
    { given: 'no packed header', over: { headers: {} }, problem: 'missing or malformed' },
    { given: 'a value no dead letter would fit beside', over: { value: Buffer.alloc(95_000) }, problem: '95' },
    {
      given: 'as much in headers',
      over: { headers: { ...record('ep_1').headers, own: Buffer.alloc(95_000) } },
      problem: '95',
    },
  ])('given $given, then it is refused', ({ over, problem }) => {
    expect(receive(record('ep_1', over))).toContain(problem);
  });
});
