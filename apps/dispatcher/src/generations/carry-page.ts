import type { RecordWriter } from '#common/kafka/port/record-writer.js';
import {
  type CarryState,
  type CarryWork,
  carriedHeads,
  endHeads,
  headsOf,
  markCarried,
  parkCarried,
  receiversOf,
  undeliveredEvents,
} from '#common/postgres/carry-store.js';
import type { Queryable } from '#common/postgres/database.js';
import { deliveryParts } from '#common/postgres/delivery-parts.js';
import { rehomeLanes } from '#common/postgres/lane-rehoming.js';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';
import { type CarryContext, type CarryPlan, isLogNew, logOf, newPlan, planEvent, planHead } from './carry-plan.js';

const LANES_AT_ONCE = 500;
const EVENTS_AT_ONCE = 1_000;
const NO_LANE = { log: '', lane: '' };

/**
 * One page of the carrying over, within the transaction that stores its cursor. Records for a tier are written before
 * the commit: after a crash they may be written twice.
 *
 * @returns the state after the page; null when all is done
 */
export async function carryPage(
  tx: Queryable,
  writer: RecordWriter,
  work: CarryWork,
  state: CarryState,
): Promise<CarryState | null> {
  if (state.stage === 'rehome') return rehomePage(tx, state);
  if (state.stage === 'heads') return headsPage(tx, writer, work, state);
  return eventsPage(tx, writer, work, state);
}

async function rehomePage(tx: Queryable, state: CarryState): Promise<CarryState> {
  const done: CarryState = { ...state, stage: 'heads', lane: NO_LANE };
  if (!isLogNew(state)) return done;
  const { moved, next } = await rehomeLanes(tx, DELIVERIES_TOPIC, state.partitions, state.lane, LANES_AT_ONCE);
  const counts = { ...state.counts, moved: state.counts.moved + moved };
  return next === undefined ? { ...done, counts } : { ...state, counts, lane: next };
}

async function headsPage(tx: Queryable, writer: RecordWriter, work: CarryWork, state: CarryState): Promise<CarryState> {
  const heads = await carriedHeads(tx, DELIVERIES_TOPIC, state.lane, LANES_AT_ONCE);
  const context = await contextOf(tx, work, state, heads);
  const plan = newPlan(state);
  for (const head of heads) planHead(head, plan, context);
  await perform(tx, writer, plan);
  const last = heads.at(-1);
  const after = { ...state, counts: plan.counts };
  if (last === undefined || heads.length < LANES_AT_ONCE) return { ...after, stage: 'events', lane: NO_LANE };
  return { ...after, lane: { log: last.log, lane: last.lane } };
}

async function eventsPage(
  tx: Queryable,
  writer: RecordWriter,
  work: CarryWork,
  state: CarryState,
): Promise<CarryState | null> {
  const { found, next } = await undeliveredEvents(tx, state.event, state, EVENTS_AT_ONCE);
  const context = await contextOf(tx, work, state, found);
  const laned = found.map((event) => {
    const receiver = context.receivers.get(event.endpoint_id);
    const made = receiver && deliveryParts(event, receiver, 0).lane;
    const lane = (event.status === 'retrying' ? event.lane : undefined) ?? made ?? event.delivery_id;
    return { event, lane, log: logOf(lane, state) };
  });
  const heads = await headsOf(tx, laned);
  const plan = newPlan(state);
  for (const { event, lane, log } of laned) planEvent(event, lane, heads.get(`${log} ${lane}`), plan, context);
  await perform(tx, writer, plan);
  const after = { ...state, ordinal: plan.ordinal, counts: plan.counts };
  if (next !== undefined) return { ...after, event: next };
  if (state.stage === 'older') return null;
  await markCarried(tx, state.topics);
  return { ...after, stage: 'older', event: BEGINNING, untilMs: state.olderThanMs };
}

const BEGINNING = [0, -2, -2, '', ''] as const;

async function contextOf(
  tx: Queryable,
  work: CarryWork,
  state: CarryState,
  of: readonly { readonly endpoint_id: string }[],
): Promise<CarryContext> {
  const receivers = await receiversOf(
    tx,
    of.map(({ endpoint_id }) => endpoint_id),
  );
  return { work, state, receivers, nowMs: Date.now() };
}

async function perform(tx: Queryable, writer: RecordWriter, { rows, records, ended }: CarryPlan): Promise<void> {
  await parkCarried(tx, rows);
  await endHeads(tx, ended);
  if (records.length > 0) await writer.write(records);
}
