import { isIdle, newLane, stepLane } from '#common/domain/lane-machine.js';
import { carriedPosition, positionOf } from '#common/domain/position.js';
import { Positions } from '#common/domain/positions.js';
import type { FencedLog } from '#common/kafka/port/owned-log.js';
import { type DeliveryMeta, encodeDelivery, newLife } from '#common/records/delivery-record.js';
import type { InRecord } from '#common/records/record.js';
import { readDelivery } from './delivery.js';

const LOG = { topic: 'deliveries', partition: 0 } as FencedLog;
const LIFE = newLife({
  deliveryId: 'dlv_1',
  eventId: 'e',
  endpointId: 'ep_1',
  tenant: 't',
  eventType: 'a',
  acceptedAt: 1,
});

function read(meta: Partial<DeliveryMeta>, { offset = 100, generation = 0 } = {}) {
  const header = encodeDelivery({ ...LIFE, attempt: 1, returned: true, ...meta });
  const record: InRecord = {
    ...{
      topic: 'deliveries',
      partition: 0,
      offset,
      timestamp: 1,
      key: Buffer.from('ep_1:r'),
      value: Buffer.from('{}'),
    },
    headers: { posthorn: Buffer.from(header) },
  };
  const positions = new Positions(generation);
  return readDelivery(LOG, record, { positions, maxBatchBytes: 1_000_000, replayProblem: () => undefined });
}

describe('the place of a return', () => {
  it.each([
    { given: 'its own', place: 100, generation: 0 },
    { given: 'one that no record has yet', place: 999_999_999, generation: 0 },
    { given: 'one of a later log', place: positionOf(3, 0), generation: 2 },
    { given: 'the end of all numbers', place: 999_999_999_999_999, generation: 0 },
  ])('given $given, then the record is refused', ({ place, generation }) => {
    expect(read({ place }, { generation })).toEqual({ detail: expect.stringMatching(/^its place \d+ is not below/) });
  });

  it.each([
    { given: 'the record before it', place: 99, generation: 0, is: 99 },
    { given: 'one of the log before', place: positionOf(1, 5_000), generation: 2, is: positionOf(1, 5_000) },
    { given: 'one that was carried over', place: carriedPosition(1, 7), generation: 2, is: carriedPosition(1, 7) },
    { given: 'none', place: undefined, generation: 0, is: undefined },
  ])('given $given, then it counts', ({ place, generation, is }) => {
    expect(read({ place }, { generation })).toMatchObject({ meta: { place: is, returned: true } });
  });

  it('given a first record that claims a place, then its own position counts', () => {
    expect(read({ place: 5_000, returned: false })).toMatchObject({ meta: { place: 100 } });
  });

  it('given a place that is too high and not refused, then the lane would call later deliveries over', () => {
    const lane = newLane<string>(true, true, false);
    const item = (place: number, offset: number) => ({ place, attempt: place === offset ? 0 : 1, offset, work: '' });
    stepLane(lane, { type: 'arrived', item: item(5_000, 100) });
    stepLane(lane, { type: 'attempted', verdict: 'retry' });
    stepLane(lane, { type: 'transacted' });
    stepLane(lane, { type: 'handedOver' });
    expect(isIdle(lane)).toBe(true);
    expect(stepLane(lane, { type: 'arrived', item: item(101, 101) })).toMatchObject([
      { type: 'finish', isStale: true },
    ]);
  });
});
