import { type Case, type Duty, type TriedEvent } from './case.js';
import { clock, verdictOf } from './findings.js';
import type { Finding, PromiseVerdict } from './verdict.js';

export interface OrderJudgement {
  readonly verdict: PromiseVerdict;
  readonly outOfOrder: number;
}

/** Two clocks, the broker's and the receiver's, are read on one machine, a moment apart. */
const SAME_MOMENT_MS = 20;

/**
 * P3: every ordered lane first accepts its events in the order of `ingest`. No event is attempted before the one ahead
 * is delivered or dead. `ingest` has a resource's events in the order of publishing.
 *
 * @param excused deliveries that were lost with an alarm, which others need not wait for
 */
export function judgeOrder(all: Case, excused: ReadonlySet<Duty>): OrderJudgement {
  const lanes = [...all.lanes.values()];
  const outOfOrder = lanes.flatMap((lane) => acceptedLate(lane));
  const findings = [
    ...outOfOrder,
    ...lanes.flatMap((lane) => overtaken(lane, excused)),
    ...takenOutOfOrder(all.events.values()),
  ];
  const checked = lanes.filter((lane) => lane.length > 1).length;
  return { verdict: verdictOf(checked, findings), outOfOrder: outOfOrder.length };
}

/** A replayed dead letter has no order. */
function acceptedLate(lane: readonly Duty[]): Finding[] {
  let latest: Duty | undefined;
  return lane.flatMap((duty) => {
    const line = duty.acceptance?.endedLine;
    if (line === undefined || duty.deadAt !== undefined) return [];
    const ahead = latest;
    const isLate = line < (ahead?.acceptance?.endedLine ?? -1);
    if (!isLate || ahead === undefined) {
      latest = duty;
      return [];
    }
    return [finding('out_of_order', duty, `accepted before ${ahead.eventId}, which is ahead of it in its lane`)];
  });
}

function overtaken(lane: readonly Duty[], excused: ReadonlySet<Duty>): Finding[] {
  return lane.slice(1).flatMap((duty, index) => {
    const ahead = lane[index];
    const [first] = duty.requests;
    if (ahead === undefined || first === undefined || excused.has(ahead) || mayBeMissing(ahead)) return [];
    const isAccepted = (ahead.acceptance?.endedLine ?? Number.POSITIVE_INFINITY) < first.arrivedLine;
    const isDead = (ahead.deadAt ?? Number.POSITIVE_INFINITY) <= first.arrivedAt + SAME_MOMENT_MS;
    if (isAccepted || isDead) return [];
    const text = `attempted at ${clock(first.arrivedAt)} while ${ahead.eventId}, ahead of it, was neither delivered nor dead`;
    return [finding('overtaken', duty, text)];
  });
}

/** The event was not acknowledged, and has no record for this endpoint. */
function mayBeMissing({ isOwed, records, requests }: Duty): boolean {
  return !isOwed && records.length === 0 && requests.length === 0;
}

/** Checks that `ingest` keeps the order of a producer that waits for each acknowledgement. */
function takenOutOfOrder(events: Iterable<TriedEvent>): Finding[] {
  const withResource = [...events].filter(
    ({ first, source }) => first.resourceId !== undefined && source !== undefined,
  );
  const byResource = Map.groupBy(withResource, ({ first }) => `${first.tenant}\n${first.resourceId}`);
  return [...byResource.values()].flatMap((list) => {
    const inOrder = list.toSorted((a, b) => a.first.number - b.first.number);
    return inOrder.slice(1).flatMap((event, index) => {
      const before = inOrder[index];
      const hadToWait = (before?.acknowledgedAt ?? Number.POSITIVE_INFINITY) <= event.first.invokedAt;
      const isBehind = (before?.source?.offset ?? -1) < (event.source?.offset ?? -1);
      if (before === undefined || !hadToWait || isBehind) return [];
      const text = `ingest/${event.source?.partition}/${event.source?.offset} lies before that of ${before.first.eventId}, acknowledged earlier`;
      return [{ kind: 'accepted_out_of_order' as const, text, eventId: event.first.eventId }];
    });
  });
}

function finding(kind: 'out_of_order' | 'overtaken', { eventId, endpoint }: Duty, text: string): Finding {
  return { kind, text, eventId, endpointId: endpoint.id };
}
