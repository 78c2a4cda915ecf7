import { DEAD_REASONS, type DeadReason } from '#common/domain/verdict.js';
import { deadLetterHeaders } from '#common/records/dead-letter-record.js';
import { DELIVERY_HEADER, encodeDelivery } from '#common/records/delivery-record.js';
import { describeDeadLetter, isSelected } from './selection.ts';

const AT = Date.parse('2026-01-31T09:30:00Z');

/** A record of `dlq` as the apps write it. */
function record(reason: DeadReason) {
  const packed = encodeDelivery({
    deliveryId: 'dlv_1',
    eventId: 'e1',
    endpointId: 'ep_1',
    tenant: 'default',
    eventType: 'invoice.paid',
    attempt: 4,
    replay: 0,
    acceptedAt: AT,
    returned: true,
    place: 7,
    dueAt: AT,
    tierUntil: AT,
  });
  const info = { reason, at: AT, detail: undefined, lastStatus: 500, lastError: undefined, source: 'deliveries/0/7' };
  return { timestamp: String(AT + 5), headers: { [DELIVERY_HEADER]: packed, ...deadLetterHeaders(info) } };
}

describe('describeDeadLetter', () => {
  it.each(DEAD_REASONS)('given the reason %s, as the apps write it, then the dead letter is read', (reason) => {
    const letter = { reason, at: AT, endpointId: 'ep_1', eventId: 'e1', eventType: 'invoice.paid' };
    expect(describeDeadLetter(record(reason))).toEqual(letter);
  });

  it('given a record without headers, then the dead letter has only a time', () => {
    expect(describeDeadLetter({ timestamp: '5', headers: {} })).toMatchObject({ reason: '', at: 5, endpointId: '' });
  });
});

describe('isSelected', () => {
  const letter = describeDeadLetter(record('max_retries'));

  it.each([
    { given: 'no condition', selection: {}, chosen: true },
    { given: 'the same reason', selection: { reason: 'max_retries' }, chosen: true },
    { given: 'another reason', selection: { reason: 'expired' }, chosen: false },
    { given: 'the same endpoint', selection: { endpoint: 'ep_1' }, chosen: true },
    { given: 'another endpoint', selection: { endpoint: 'ep_2' }, chosen: false },
    { given: 'since its time', selection: { since: AT }, chosen: true },
    { given: 'since a later time', selection: { since: AT + 1 }, chosen: false },
    { given: 'until its time', selection: { until: AT }, chosen: false },
    { given: 'until a later time', selection: { until: AT + 1 }, chosen: true },
    { given: 'one of two conditions', selection: { reason: 'max_retries', endpoint: 'ep_2' }, chosen: false },
  ])('given $given, then chosen is $chosen', ({ selection, chosen }) => {
    expect(isSelected(letter, selection)).toBe(chosen);
  });
});
