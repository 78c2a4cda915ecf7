import fc from 'fast-check';
import { deliveryBody } from './delivery-body.js';

const content = fc.record({
  id: fc.string(),
  type: fc.string(),
  occurredAt: fc.constant('2026-01-01T00:00:00Z'),
  position: fc.maxSafeNat(),
  resourceId: fc.option(fc.string(), { nil: undefined }),
  rawData: fc.json(),
});

describe('deliveryBody', () => {
  it('given any event, then the body is JSON that says it, with the data to the letter', () => {
    fc.assert(
      fc.property(content, (event) => {
        const body = deliveryBody(event, 'full').toString();
        expect(JSON.parse(body)).toEqual({
          id: event.id,
          type: event.type,
          occurred_at: event.occurredAt,
          sequence: event.position,
          resource_id: event.resourceId ?? null,
          data: JSON.parse(event.rawData),
        });
        expect(body.endsWith(`,"data":${event.rawData}}`)).toBe(true);
      }),
    );
  });

  it('given a thin endpoint, then there is no data', () => {
    fc.assert(
      fc.property(content, (event) => {
        expect(JSON.parse(deliveryBody(event, 'thin').toString())).not.toHaveProperty('data');
      }),
    );
  });

  it('given numbers beyond a double and repeated names, then they are not touched', () => {
    const rawData = '{"n":12345678901234567890.10,"n":1e400}';
    const event = { id: 'e', type: 't', occurredAt: 'o', position: 1, resourceId: 'r', rawData };
    expect(deliveryBody(event, 'full').toString()).toContain(rawData);
  });
});
