import { describe, expect, it } from '@jest/globals';
import { carriedPosition, generationOf } from '#common/domain/position.js';
import type { CarriedHead, CarryState, CarryWork, UndeliveredEvent } from '#common/postgres/carry-store.js';
import { DELIVERY_HEADER, decodeDelivery } from '#common/records/delivery-record.js';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';
import { type CarryContext, newPlan, planEvent, planHead } from './carry-plan.js';

const NOW = 1_800_000_000_000;
const LANE = 'ep_1:invoice-1';
const at = (ms: number) => new Date(NOW + ms);

const EVENT = {
  tenant: 'acme',
  id: 'evt-1',
  type: 'a.b',
  resource_id: 'invoice-1',
  occurred_at: at(-60_000),
  accepted_at: at(-60_000),
  source_partition: 0,
  source_offset: 41,
  data: '{"n":1}',
};
const HEAD: CarriedHead = {
  log: 'deliveries/0',
  lane: LANE,
  endpoint_id: 'ep_1',
  place: 7,
  attempt: 2,
  due_at: at(-1_000),
  delivery_id: 'dlv_1',
  named_at: at(-20_000),
  is_parked: false,
  status: 'retrying',
  replay: 1,
  changed_at: at(-20_000),
  event: EVENT,
};
const UNDELIVERED: UndeliveredEvent = {
  ...EVENT,
  archived_at: null,
  endpoint_id: 'ep_1',
  delivery_id: 'dlv_1',
  status: null,
  lane: null,
  replay: null,
  attempts: null,
  next_attempt_at: null,
  changed_at: null,
};

function contextOf(over: Partial<CarryState> = {}): CarryContext {
  const state: CarryState = {
    stage: 'events',
    topics: [DELIVERIES_TOPIC],
    since: { [DELIVERIES_TOPIC]: NOW },
    untilMs: NOW,
    archivedBeforeMs: NOW,
    partitions: 1,
    olderThanMs: 0,
    lane: { log: '', lane: '' },
    event: [0, 0, 0, '', ''],
    ordinal: 3,
    counts: { moved: 0, heads: 0, parked: 0, waiting: 0, lost: 0 },
    ...over,
  };
  const work: CarryWork = {
    topic: DELIVERIES_TOPIC,
    generation: 2,
    partitions: 1,
    firstSeenAt: at(0),
    isCarried: false,
    state,
  };
  return {
    work,
    state,
    nowMs: NOW,
    receivers: new Map([['ep_1', { id: 'ep_1', ordering: 'resource', payload: 'full' }]]),
  };
}

function headPlan(over: Partial<CarriedHead>, state: Partial<CarryState> = {}) {
  const context = contextOf(state);
  const plan = newPlan(context.state);
  planHead({ ...HEAD, ...over }, plan, context);
  return plan;
}

function eventPlan(over: Partial<UndeliveredEvent>, lane: string, state: Partial<CarryState> = {}, head?: CarriedHead) {
  const context = contextOf(state);
  const plan = newPlan(context.state);
  planEvent({ ...UNDELIVERED, ...over }, lane, head, plan, context);
  return plan;
}

const TIER_NEW = { topics: ['retry-16s'], since: { 'retry-16s': NOW } };
const metaOf = (plan: ReturnType<typeof newPlan>) => decodeDelivery(plan.records[0]?.headers?.[DELIVERY_HEADER]);

describe('planHead', () => {
  it('given a head that is due, then it is parked at its place with the attempts that its row names', () => {
    const { rows, records } = headPlan({});
    expect(records).toEqual([]);
    expect(rows).toMatchObject([{ log: 'deliveries/0', lane: LANE, place: 7, attempt: 2, deliveryId: 'dlv_1' }]);
    expect(decodeDelivery(rows[0]?.header)).toMatchObject({ attempt: 2, replay: 1, place: 7 });
    expect(JSON.parse(String(rows[0]?.body))).toMatchObject({ id: 'evt-1', sequence: 41 });
  });

  it('given one whose attempt was under way, then it is parked; when only a tier is new, its record is still in the log', () => {
    expect(headPlan({ due_at: null }).rows).toMatchObject([{ place: 7, attempt: 2 }]);
    expect(headPlan({ due_at: null }, TIER_NEW)).toMatchObject({ rows: [], records: [] });
  });

  it.each([
    { given: 'one that is parked', over: { is_parked: true } },
    { given: 'one that waits in a tier that is still there', over: { due_at: at(60_000) } },
    { given: 'one without a stored outcome: its event is found later', over: { status: null, event: null } },
  ])('given $given, then nothing is done', ({ over }) => {
    expect(headPlan(over)).toMatchObject({ rows: [], records: [], ended: [], counts: { heads: 0, lost: 0 } });
  });

  it('given one in a lost tier, then it goes into a tier for what remains, at its place', () => {
    const plan = headPlan({ named_at: at(-10_000), due_at: at(7_000) }, TIER_NEW);
    expect(plan.rows).toEqual([]);
    expect(plan.records).toMatchObject([{ topic: 'retry-4s', key: LANE }]);
    expect(metaOf(plan)).toMatchObject({ attempt: 2, replay: 1, place: 7, dueAt: NOW + 7_000, returned: false });
  });

  it('given one that entered another tier, or entered after the tier began again, then nothing is done', () => {
    const inTier4 = { named_at: at(-2_000), due_at: at(2_000) };
    expect(headPlan(inTier4, TIER_NEW).records).toEqual([]);
    const entered = { named_at: at(-10_000), due_at: at(8_000) };
    expect(headPlan(entered, { ...TIER_NEW, since: { 'retry-16s': NOW - 25_000 } }).records).toEqual([]);
  });

  it.each(['delivered', 'dead'])('given one that is %s, then its place is over', (status) => {
    expect(headPlan({ status, changed_at: at(-10_000) }).ended).toHaveLength(1);
  });

  it('given one of a later life than the dead one that is stored, then it is restored as that life', () => {
    const { rows } = headPlan({ status: 'dead', changed_at: at(-30_000) });
    expect(decodeDelivery(rows[0]?.header)).toMatchObject({ replay: 2 });
  });

  it('given one whose event is not archived any more, then its lane goes on without it, and it is counted', () => {
    expect(headPlan({ event: null })).toMatchObject({ rows: [], ended: [{ lane: LANE }], counts: { lost: 1 } });
  });
});

describe('planEvent', () => {
  it('given a delivery without an outcome, then it is parked behind all of the lost log and before the new one', () => {
    const { rows, ordinal } = eventPlan({}, LANE);
    expect(rows).toMatchObject([{ place: carriedPosition(1, 3), attempt: 0, lane: LANE, log: 'deliveries/0' }]);
    expect(generationOf(rows[0]?.place ?? 0)).toBe(1);
    expect(ordinal).toBe(4);
  });

  it('given a replay that was not attempted, then it is parked in its life', () => {
    expect(decodeDelivery(eventPlan({ status: 'pending', replay: 2 }, LANE).rows[0]?.header)).toMatchObject({
      replay: 2,
    });
  });

  it("given the lane's head without a stored outcome, then it is restored at its place", () => {
    const { rows, ordinal } = eventPlan({}, LANE, {}, { ...HEAD, delivery_id: 'dlv_1' });
    expect(rows).toMatchObject([{ place: 7, attempt: 2 }]);
    expect(ordinal).toBe(3);
  });

  it('given a head with an outcome, which was seen among the heads, then nothing is done', () => {
    expect(eventPlan({ status: 'retrying' }, LANE, {}, HEAD)).toMatchObject({ rows: [], records: [] });
  });

  it('given an unordered delivery that is due, then it goes into the eager tier with its attempts', () => {
    const retrying = { status: 'retrying', attempts: 3, replay: 0, next_attempt_at: at(-1_000) } as const;
    const plan = eventPlan(retrying, 'dlv_1');
    expect(plan.records).toMatchObject([{ topic: 'retry-4s', key: 'dlv_1' }]);
    expect(metaOf(plan)).toMatchObject({ attempt: 3, place: undefined });
    expect(eventPlan({ ...retrying, next_attempt_at: at(60_000) }, 'dlv_1').records).toEqual([]);
  });

  it('given that only a tier is new, or an old event without any outcome, then nothing is parked', () => {
    expect(eventPlan({}, LANE, TIER_NEW).rows).toEqual([]);
    expect(eventPlan({}, LANE, { stage: 'older' }).rows).toEqual([]);
  });
});
