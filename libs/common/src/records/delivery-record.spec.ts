import fc from 'fast-check';
import { EVENT_ID_PATTERN, TENANT_PATTERN } from '../domain/identifiers.js';
import { EVENT_TYPE_PATTERN } from '../domain/subscription.js';
import { type DeliveryMeta, decodeDelivery, encodeDelivery, unpackDelivery } from './delivery-record.js';
import { MAX_COUNT, MAX_TIME_MS } from './limits.js';

const time = fc.integer({ min: 0, max: MAX_TIME_MS });
const count = fc.nat(MAX_COUNT);
const optional = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });
const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/);

const metas: fc.Arbitrary<DeliveryMeta> = fc.record({
  deliveryId: id,
  eventId: fc.stringMatching(EVENT_ID_PATTERN),
  endpointId: id,
  tenant: fc.stringMatching(TENANT_PATTERN),
  eventType: fc.stringMatching(EVENT_TYPE_PATTERN),
  attempt: count,
  replay: count,
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
    { given: 'a NUL in the event id', header: encodeDelivery({ ...META, eventId: 'a\0b' }) },
    { given: 'a space at the end of the event id', header: encodeDelivery({ ...META, eventId: 'a ' }) },
    { given: 'an event id that is not ASCII', header: encodeDelivery({ ...META, eventId: 'ä' }) },
    { given: 'an event id that is too long', header: encodeDelivery({ ...META, eventId: 'a'.repeat(257) }) },
    { given: 'a colon in the endpoint id', header: encodeDelivery({ ...META, endpointId: 'ep:1' }) },
    { given: 'a NUL in the tenant', header: encodeDelivery({ ...META, tenant: '\0' }) },
    { given: 'more attempts than anybody makes', header: encodeDelivery({ ...META, attempt: 2 ** 31 }) },
    { given: 'more replays than anybody asks for', header: encodeDelivery({ ...META, replay: 2 ** 31 }) },
    {
      given: 'an acceptance after the year 9999',
      header: encodeDelivery({ ...META, acceptedAt: 999_999_999_999_999 }),
    },
    { given: 'a due time after the year 9999', header: encodeDelivery({ ...META, dueAt: 999_999_999_999_999 }) },
    { given: 'a megabyte of line feeds', header: Buffer.alloc(1_048_576, '\n') },
    { given: 'random bytes', header: Buffer.from([0xff, 0x0a, 0x31]) },
  ])('given $given, then it is refused', ({ header }) => {
    expect(decodeDelivery(header)).toBeUndefined();
  });

  it('given a header that the database has, then it is read, though it would be refused now', () => {
    const stored = { ...META, tenant: 'ä', acceptedAt: 999_999_999_999_999 };
    expect(unpackDelivery(encodeDelivery(stored))).toEqual(stored);
  });

  it('given any text, then it is read or refused, and never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void decodeDelivery(text)));
  });
});
