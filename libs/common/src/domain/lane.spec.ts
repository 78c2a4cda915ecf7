import fc from 'fast-check';
import { newId } from '../random/new-id.js';
import { isOrderedLane, laneOf, ORDERINGS } from './lane.js';

const delivery = { endpointId: 'ep_1', deliveryId: 'dlv_1' };

describe('laneOf', () => {
  it.each([
    { ordering: 'resource', resourceId: 'order-7', lane: 'ep_1:order-7', isOrdered: true },
    { ordering: 'resource', resourceId: undefined, lane: 'dlv_1', isOrdered: false },
    { ordering: 'endpoint', resourceId: 'order-7', lane: 'ep_1', isOrdered: true },
    { ordering: 'endpoint', resourceId: undefined, lane: 'ep_1', isOrdered: true },
    { ordering: 'none', resourceId: 'order-7', lane: 'dlv_1', isOrdered: false },
    { ordering: 'none', resourceId: undefined, lane: 'dlv_1', isOrdered: false },
  ] as const)(
    'given ordering $ordering and resource $resourceId, then it is $lane',
    ({ lane, isOrdered, ...given }) => {
      expect(laneOf({ ...delivery, ...given })).toBe(lane);
      expect(isOrderedLane(lane)).toBe(isOrdered);
    },
  );

  it('given any two deliveries, then they share a lane exactly when their order matters', () => {
    const endpoints = [newId('ep'), newId('ep')] as const;
    const one = fc.record({
      ordering: fc.constantFrom(...ORDERINGS),
      endpointId: fc.constantFrom(...endpoints),
      resourceId: fc.option(fc.constantFrom('a', 'b', 'a:b', ':', '', endpoints[0]), { nil: undefined }),
    });
    fc.assert(
      fc.property(one, one, (first, second) => {
        const lanes = [laneOf({ ...first, deliveryId: 'dlv_1' }), laneOf({ ...second, deliveryId: 'dlv_2' })];
        const ordered = first.ordering === second.ordering && first.endpointId === second.endpointId;
        const byResource = first.resourceId !== undefined && first.resourceId === second.resourceId;
        const shares = first.ordering === 'endpoint' || (first.ordering === 'resource' && byResource);
        expect(lanes[0] === lanes[1]).toBe(ordered && shares);
      }),
    );
  });
});
