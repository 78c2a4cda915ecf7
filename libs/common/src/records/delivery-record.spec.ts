import fc from 'fast-check';
import { EVENT_ID_PATTERN, TENANT_PATTERN } from '../domain/identifiers.js';
import { EVENT_TYPE_PATTERN } from '../domain/subscription.js';
import { type DeliveryMeta, decodeDelivery, encodeDelivery } from './delivery-record.js';

const time = fc.integer({ min: 0, max: 999_999_999_999_999 });
const optional = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });
const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/);

const metas: fc.Arbitrary<DeliveryMeta> = fc.record({
  deliveryId: id,
  eventId: fc.stringMatching(EVENT_ID_PATTERN),
  endpointId: id,
  tenant: fc.stringMatching(TENANT_PATTERN),
  eventType: fc.stringMatching(EVENT_TYPE_PATTERN),
  attempt: fc.nat(),
  replay: fc.nat(),
  acceptedAt: time,
  returned: fc.boolean(),
  place: optional(time),
  dueAt: optional(time),
  tierUntil: optional(time),
});

const META: DeliveryMeta = {
  deliveryId: 'dlv_1',
  eventId: 'evt 1',
  endpointId: 'ep_1',
  tenant: 'acme',
  eventType: 'invoice.paid',
  attempt: 1,
  replay: 0,
  acceptedAt: 1_700_000_000_000,
  returned: true,
  place: 42,
  dueAt: 1_700_000_004_000,
  tierUntil: undefined,
};

describe('the delivery header', () => {
  it('given any delivery, then it comes back, from bytes as from text', () => {
    fc.assert(
      fc.property(metas, (meta) => {
        const header = encodeDelivery(meta);
        expect(decodeDelivery(header)).toEqual(meta);
        expect(decodeDelivery(Buffer.from(header))).toEqual(meta);
      }),
    );
  });

  it('given a delivery, then the wire form is as documented', () => {
    const lines = [
      '1',
      'dlv_1',
      'evt 1',
      'ep_1',
      'acme',
      'invoice.paid',
      1,
      0,
      1_700_000_000_000,
      'r',
      42,
      1_700_000_004_000,
      '',
    ];
    expect(encodeDelivery(META)).toBe(lines.join('\n'));
  });

  it.each([
    { given: 'nothing', header: undefined },
    { given: 'an empty header', header: '' },
    { given: 'another version', header: encodeDelivery(META).replace('1', '2') },
    { given: 'a field too few', header: encodeDelivery(META).replace('acme\n', '') },
    { given: 'a field too many', header: `${encodeDelivery(META)}\nx` },
    { given: 'an empty id', header: encodeDelivery({ ...META, endpointId: '' }) },
    { given: 'a negative attempt', header: encodeDelivery({ ...META, attempt: -1 }) },
    { given: 'a broken time', header: encodeDelivery({ ...META, dueAt: 1.5 }) },
    { given: 'no time of acceptance', header: encodeDelivery(META).replace('1700000000000', '') },
    { given: 'a kind nobody knows', header: encodeDelivery(META).replace('\nr\n', '\nx\n') },
    { given: 'random bytes', header: Buffer.from([0xff, 0x0a, 0x31]) },
  ])('given $given, then it is refused', ({ header }) => {
    expect(decodeDelivery(header)).toBeUndefined();
  });

  it('given any text, then it is read or refused, and never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void decodeDelivery(text)));
  });
});
