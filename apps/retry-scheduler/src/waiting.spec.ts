import { hopFor } from '#common/domain/tier.js';
import { DELIVERY_HEADER, decodeDelivery, encodeDelivery } from '#common/records/delivery-record.js';
import { MemoryLog } from '../../../test/support/memory-log.js';
import { moveOf, readWaiting, returnOf, type WaitingDelivery } from './waiting.js';

const T0 = 1_800_000_000_000;
const LIMITS = { readAt: T0, maxBatchBytes: 1_000_000 };
const META = {
  deliveryId: 'dlv_1',
  eventId: 'evt_1',
  endpointId: 'ep_1',
  tenant: 'acme',
  eventType: 'invoice.paid',
  attempt: 2,
  replay: 1,
  acceptedAt: T0 - 9_000,
  returned: false,
  place: 77,
  dueAt: T0 + 70_000,
  tierUntil: T0 + 64_000,
};

const append = (log: MemoryLog, headers: Record<string, string>) =>
  log.append({ key: 'ep_1:repo', value: '{"id":"evt_1"}', headers }, T0);

function waiting(): WaitingDelivery {
  const log = new MemoryLog('retry-64s');
  const read = readWaiting(
    log,
    append(log, { [DELIVERY_HEADER]: encodeDelivery(META), traceparent: '00-ab-cd-01' }),
    LIMITS,
  );
  if (typeof read === 'string') throw new Error(read);
  return read;
}

describe('readWaiting', () => {
  it('given a delivery, then all its fields are read', () => {
    expect(waiting()).toMatchObject({
      offset: 0,
      dueAt: META.dueAt,
      tierUntil: META.tierUntil,
      readAt: T0,
      meta: META,
    });
  });

  it('given a delivery whose headers exceed the limits, then it is poison for that reason', () => {
    const log = new MemoryLog('retry-4s');
    const record = append(log, { [DELIVERY_HEADER]: encodeDelivery(META) });
    expect(readWaiting(log, { ...record, oversized: 'too many headers' }, LIMITS)).toBe('too many headers');
  });

  it('given a due time in 2099, then the delivery waits at most the longest wait of its tier', () => {
    const log = new MemoryLog('retry-4s');
    const header = encodeDelivery({ ...META, dueAt: Date.UTC(2099, 0, 1) });
    const read = readWaiting(log, append(log, { [DELIVERY_HEADER]: header }), LIMITS);
    expect(read).toMatchObject({ dueAt: T0 + 16_000 });
  });

  it('given a record that is a view of a fetch response, then the buffers are copied', () => {
    const log = new MemoryLog('retry-4s');
    const response = Buffer.alloc(1_000_000);
    const record = {
      ...append(log, { [DELIVERY_HEADER]: encodeDelivery(META) }),
      value: response.subarray(10, 90_000),
    };
    const read = readWaiting(log, record, LIMITS);
    if (typeof read === 'string') throw new Error(read);
    expect(read.value).toEqual(record.value);
    expect(read.value.buffer).not.toBe(response.buffer);
  });

  it.each([
    { given: 'no packed header', fields: { headers: {} }, expected: 'the posthorn header is missing or malformed' },
    {
      given: 'a malformed packed header',
      fields: { headers: { [DELIVERY_HEADER]: Buffer.from([0xff, 0, 1]) } },
      expected: 'the posthorn header is missing or malformed',
    },
    { given: 'a null value', fields: { value: null }, expected: 'the record has no value' },
    { given: 'a null key', fields: { key: null }, expected: 'the record has no key' },
    { given: 'an empty key', fields: { key: Buffer.alloc(0) }, expected: 'the record has no key' },
    {
      given: 'no due time',
      fields: { headers: { [DELIVERY_HEADER]: Buffer.from(encodeDelivery({ ...META, dueAt: undefined })) } },
      expected: 'the delivery has no due time',
    },
    {
      given: 'a due time of letters',
      fields: {
        headers: { [DELIVERY_HEADER]: Buffer.from(encodeDelivery(META).replace(String(META.dueAt), 'NaN')) },
      },
      expected: 'the posthorn header is missing or malformed',
    },
  ])('given $given, then it says "$expected"', ({ fields, expected }) => {
    const log = new MemoryLog('retry-4s');
    const record = { ...append(log, { [DELIVERY_HEADER]: encodeDelivery(META) }), ...fields };
    expect(readWaiting(log, record, LIMITS)).toBe(expected);
  });
});

describe('records that leave a tier', () => {
  it('given a return, then bytes, key and headers stay, and the packed header marks the return', () => {
    const { headers = {}, ...rest } = returnOf(waiting());
    expect(rest).toEqual({
      topic: 'deliveries',
      key: Buffer.from('ep_1:repo'),
      value: Buffer.from('{"id":"evt_1"}'),
    });
    expect(headers.traceparent).toEqual(Buffer.from('00-ab-cd-01'));
    expect(decodeDelivery(headers[DELIVERY_HEADER])).toEqual({ ...META, returned: true, tierUntil: undefined });
  });

  it('given a move, then only the tier and its end change', () => {
    const { topic, headers = {} } = moveOf(waiting(), hopFor(6_000, T0 + 64_000));
    expect(topic).toBe('retry-4s');
    expect(headers.traceparent).toEqual(Buffer.from('00-ab-cd-01'));
    expect(decodeDelivery(headers[DELIVERY_HEADER])).toEqual({ ...META, tierUntil: T0 + 70_000 });
  });
});
