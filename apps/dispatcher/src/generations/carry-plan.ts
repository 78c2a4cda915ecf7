import { isOrderedLane } from '#common/domain/lane.js';
import { carriedPosition } from '#common/domain/position.js';
import { hopFor, tiersOnTheWay } from '#common/domain/tier.js';
import { partitionOf } from '#common/kafka/port/partitioner.js';
import type { ArchivedEvent } from '#common/postgres/archived-event.js';
import type {
  CarriedHead,
  CarriedRow,
  CarryCounts,
  CarryState,
  CarryWork,
  UndeliveredEvent,
} from '#common/postgres/carry-store.js';
import { deliveryParts, type Receiver } from '#common/postgres/delivery-parts.js';
import { DELIVERY_HEADER } from '#common/records/delivery-record.js';
import type { OutRecord } from '#common/records/record.js';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';

/** Clocks of brokers, of PostgreSQL and of this process differ by less. */
export const CARRY_SLACK_MS = 10_000;

/** Input of a page of the carrying over. */
export interface CarryContext {
  readonly work: CarryWork;
  readonly state: CarryState;
  readonly receivers: ReadonlyMap<string, Receiver>;
  readonly nowMs: number;
}

/** Result of a page. */
export interface CarryPlan {
  readonly rows: CarriedRow[];
  readonly records: OutRecord[];
  readonly ended: CarriedHead[];
  ordinal: number;
  counts: CarryCounts;
}

type NamedHead = Pick<CarriedHead, 'place' | 'attempt' | 'due_at' | 'delivery_id' | 'named_at'>;

export function newPlan({ ordinal, counts }: CarryState): CarryPlan {
  return { rows: [], records: [], ended: [], ordinal, counts };
}

export function isLogNew({ topics }: CarryState): boolean {
  return topics.includes(DELIVERIES_TOPIC);
}

export function logOf(lane: string, { partitions }: CarryState): string {
  return `${DELIVERIES_TOPIC}/${partitionOf(lane, partitions)}`;
}

/**
 * A lane's head: its record was in a tier, or on its way back. Due, it is parked at its place, where draining finds it; not
 * due, it is put into a tier again if its own is new. A copy that comes twice is stale by the lane's row.
 */
export function planHead(head: CarriedHead, plan: CarryPlan, context: CarryContext): void {
  if (head.is_parked) return;
  const isEnded = head.status === 'delivered' || head.status === 'dead';
  const isLaterLife = isEnded && head.changed_at !== null && head.changed_at < head.named_at;
  if (isEnded && !isLaterLife) {
    plan.ended.push(head);
    return;
  }
  if (head.event !== null) {
    restoreHead({ ...head, event: head.event, replay: (head.replay ?? 0) + (isLaterLife ? 1 : 0) }, plan, context);
  } else if (head.status !== null) {
    plan.ended.push(head);
    plan.counts = { ...plan.counts, lost: plan.counts.lost + 1 };
  }
}

function restoreHead(
  head: NamedHead & { lane: string; endpoint_id: string; event: ArchivedEvent; replay: number },
  plan: CarryPlan,
  context: CarryContext,
): void {
  const { state, nowMs } = context;
  const { lane, place, attempt, event } = head;
  const dueAt = head.due_at?.getTime() ?? nowMs;
  const isDue = dueAt < nowMs + CARRY_SLACK_MS;
  const isInLostTier = head.due_at !== null && wasInLostTier(head.named_at.getTime(), dueAt, state);
  if (!(isLogNew(state) && isDue) && !isInLostTier) return;
  plan.counts = { ...plan.counts, heads: plan.counts.heads + 1 };
  const receiver = receiverOf(head.endpoint_id, context);
  if (isLogNew(state) && isDue) {
    const { header, body } = deliveryParts(event, receiver, head.replay, { attempt, place, dueAt });
    const { endpoint_id: endpointId, delivery_id: deliveryId } = head;
    plan.rows.push({ log: logOf(lane, state), lane, place, endpointId, deliveryId, attempt, header, body });
  } else {
    plan.records.push(tierRecord(lane, event, receiver, { replay: head.replay, attempt, place, dueAt }, nowMs));
  }
}

/**
 * A delivery of the archive that is not over.
 *
 * @param head of its lane
 */
export function planEvent(
  found: UndeliveredEvent,
  lane: string,
  head: NamedHead | undefined,
  plan: CarryPlan,
  context: CarryContext,
): void {
  const { status, endpoint_id, delivery_id } = found;
  const isHead = head?.delivery_id === delivery_id;
  if (isHead && status === null) restoreHead({ ...head, lane, endpoint_id, event: found, replay: 0 }, plan, context);
  // With an outcome it was seen among the heads.
  if (isHead) return;
  if (status === 'retrying' && !isOrderedLane(lane)) planWaiting(found, lane, plan, context);
  else if (isLogNew(context.state) && (status !== null || context.state.stage === 'events')) {
    parkNext(found, lane, plan, context);
  }
}

/** An unordered delivery waits in a tier and has no row. */
function planWaiting(found: UndeliveredEvent, lane: string, plan: CarryPlan, context: CarryContext): void {
  const { state, nowMs } = context;
  const dueAt = found.next_attempt_at?.getTime() ?? nowMs;
  const isOnItsWay = isLogNew(state) && dueAt < nowMs + CARRY_SLACK_MS;
  if (!isOnItsWay && !wasInLostTier(found.changed_at?.getTime() ?? 0, dueAt, state)) return;
  const life = { replay: found.replay ?? 0, attempt: found.attempts ?? 1, place: undefined, dueAt };
  plan.records.push(tierRecord(lane, found, receiverOf(found.endpoint_id, context), life, nowMs));
  plan.counts = { ...plan.counts, waiting: plan.counts.waiting + 1 };
}

/** Behind all that was parked of the lost log, before all of the new one. */
function parkNext(found: UndeliveredEvent, lane: string, plan: CarryPlan, context: CarryContext): void {
  const place = carriedPosition(context.work.generation - 1, plan.ordinal++);
  const attempt = found.status === 'retrying' ? (found.attempts ?? 0) : 0;
  const receiver = receiverOf(found.endpoint_id, context);
  const { header, body } = deliveryParts(found, receiver, found.replay ?? 0, { attempt, place });
  const { endpoint_id: endpointId, delivery_id: deliveryId } = found;
  plan.rows.push({ log: logOf(lane, context.state), lane, place, endpointId, deliveryId, attempt, header, body });
  plan.counts = { ...plan.counts, parked: plan.counts.parked + 1 };
}

/** Whether the delivery entered a tier before that one's present log began. */
function wasInLostTier(fromMs: number, dueAtMs: number, { since }: CarryState): boolean {
  return tiersOnTheWay(fromMs, dueAtMs).some(
    ({ topic, enteredAt }) => enteredAt < (since[topic] ?? Number.NEGATIVE_INFINITY) + CARRY_SLACK_MS,
  );
}

function tierRecord(
  lane: string,
  event: ArchivedEvent,
  receiver: Receiver,
  life: { replay: number; attempt: number; place: number | undefined; dueAt: number },
  nowMs: number,
): OutRecord {
  const { tier, tierUntil } = hopFor(life.dueAt - nowMs, nowMs);
  const { attempt, place, dueAt } = life;
  const { header, body } = deliveryParts(event, receiver, life.replay, { attempt, place, dueAt, tierUntil });
  return { topic: tier.topic, key: lane, value: body, headers: { [DELIVERY_HEADER]: header } };
}

/** An endpoint that was deleted: the attempt finds that, and gives the delivery up. */
function receiverOf(id: string, { receivers }: CarryContext): Receiver {
  return receivers.get(id) ?? { id, ordering: 'none', payload: 'full' };
}
