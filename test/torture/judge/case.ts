import { deliveryIdOf } from '../../../libs/common/src/domain/identifiers.js';
import { laneOf } from '../../../libs/common/src/domain/lane.js';
import { subscriptionMatches } from '../../../libs/common/src/domain/subscription.js';
import type { EndpointUnderTest, EventRow, Evidence, LedgerEntry, ReceivedRequest, TopicRecord } from './evidence.js';
import { broughtBack } from './restored-lanes.js';

/** All publishes of one event, and their results. */
export interface TriedEvent {
  readonly entries: readonly LedgerEntry[];
  readonly first: LedgerEntry;
  /** Time of the first acknowledgement; undefined without one. */
  readonly acknowledgedAt: number | undefined;
  /** Whether every publish was certainly rejected. */
  readonly isRefused: boolean;
  /** Position of the event: the archived one, else its first record in `ingest`. */
  readonly source: { readonly partition: number; readonly offset: number } | undefined;
}

/** The duty to deliver one event to one endpoint. */
export interface Duty {
  readonly deliveryId: string;
  readonly eventId: string;
  readonly endpoint: EndpointUnderTest;
  readonly event: TriedEvent;
  readonly lane: string;
  /** Whether the delivery must end; otherwise it may or may not exist. */
  readonly isOwed: boolean;
  /** Requests at the receiver, in the order of arrival. */
  readonly requests: readonly ReceivedRequest[];
  /** The first request that was answered with 2xx. */
  readonly acceptance: ReceivedRequest | undefined;
  /** Time of its first dead letter. */
  readonly deadAt: number | undefined;
  /** Number of lives: 1, plus one per replay. */
  readonly lives: number;
  /** Its records in all topics, in the order of time. */
  readonly records: readonly PlacedRecord[];
}

export interface PlacedRecord extends TopicRecord {
  readonly topic: string;
}

/** The evidence, arranged by promises. */
export interface Case {
  readonly evidence: Evidence;
  readonly events: ReadonlyMap<string, TriedEvent>;
  readonly duties: readonly Duty[];
  readonly byDelivery: ReadonlyMap<string, Duty>;
  /** Duties of ordered lanes, by lane, in the order in which `ingest` has their events. */
  readonly lanes: ReadonlyMap<string, readonly Duty[]>;
  /** Requests without a duty. */
  readonly strangers: readonly ReceivedRequest[];
}

export function isAccepted({ status }: ReceivedRequest): boolean {
  return status !== undefined && status >= 200 && status < 300;
}

/** Whether the delivery is over: delivered or dead. */
export function isTerminal({ acceptance, deadAt }: Duty): boolean {
  return acceptance !== undefined || deadAt !== undefined;
}

/** Time at which the delivery was first over, ms since the epoch; undefined while it is not. */
export function endOf({ acceptance, deadAt }: Duty): number | undefined {
  const ends = [acceptance?.endedAt, deadAt].filter((at) => at !== undefined);
  return ends.length === 0 ? undefined : Math.min(...ends);
}

/**
 * Earliest time of a delivery's first attempt: the event is acknowledged, and the deliveries ahead in its lane are
 * over. Undefined before. ms since the epoch.
 */
export function dueTimes({ duties, lanes }: Case): Map<Duty, number | undefined> {
  const ahead = new Map<Duty, Duty | undefined>();
  for (const lane of lanes.values()) for (const [index, duty] of lane.entries()) ahead.set(duty, lane[index - 1]);
  return new Map(
    duties.map((duty) => {
      const { acknowledgedAt } = duty.event;
      const before = ahead.get(duty);
      const freeAt = before === undefined ? 0 : endOf(before);
      if (acknowledgedAt === undefined || freeAt === undefined) return [duty, undefined];
      return [duty, Math.max(acknowledgedAt, freeAt)];
    }),
  );
}

export function arrange(evidence: Evidence): Case {
  const events = triedEvents(evidence);
  const requests = Map.groupBy(evidence.requests, ({ endpointId, eventId }) => `${endpointId}\n${eventId}`);
  const records = recordsByDelivery(evidence);
  const archived = new Map(evidence.rows.events.map((row) => [row.id, row]));
  const duties: Duty[] = [];
  for (const [eventId, event] of events) {
    for (const endpoint of evidence.endpoints) {
      if (!isFor(endpoint, event)) continue;
      const deliveryId = deliveryIdOf(endpoint.tenant, eventId, endpoint.id);
      const own = {
        requests: requests.get(`${endpoint.id}\n${eventId}`) ?? [],
        records: records.get(deliveryId) ?? [],
      };
      duties.push(duty(deliveryId, event, endpoint, { ...own, row: archived.get(eventId) }));
    }
  }
  const known = new Set(duties.map(({ endpoint, eventId }) => `${endpoint.id}\n${eventId}`));
  return {
    evidence,
    events,
    duties,
    byDelivery: new Map(duties.map((each) => [each.deliveryId, each])),
    lanes: orderedLanes(duties, evidence),
    strangers: evidence.requests.filter(({ endpointId, eventId }) => !known.has(`${endpointId}\n${eventId}`)),
  };
}

function triedEvents({ ledger, rows, topics }: Evidence): Map<string, TriedEvent> {
  const archived = new Map(rows.events.map((row) => [row.id, row]));
  const ingested = new Map<string, TopicRecord>();
  for (const record of topics.find(({ topic }) => topic === 'ingest')?.records ?? []) {
    if (record.eventId !== undefined && !ingested.has(record.eventId)) ingested.set(record.eventId, record);
  }
  const handedIn = ledger.filter(({ expects }) => expects === 'delivery');
  const events = new Map<string, TriedEvent>();
  for (const [eventId, entries] of Map.groupBy(handedIn, ({ eventId: id }) => id)) {
    const [first] = entries;
    if (first === undefined) continue;
    const acknowledged = entries.filter(({ outcome }) => outcome === 'ok').map(({ endedAt }) => endedAt ?? 0);
    events.set(eventId, {
      entries,
      first,
      acknowledgedAt: acknowledged.length === 0 ? undefined : Math.min(...acknowledged),
      isRefused: entries.every(({ outcome }) => outcome === 'fail'),
      source: sourceOf(archived.get(eventId)) ?? ingested.get(eventId),
    });
  }
  return events;
}

function sourceOf(row: EventRow | undefined): TriedEvent['source'] {
  if (row?.sourcePartition === undefined || row.sourceOffset === undefined) return undefined;
  return { partition: row.sourcePartition, offset: row.sourceOffset };
}

function recordsByDelivery({ topics }: Evidence): Map<string, PlacedRecord[]> {
  const byDelivery = new Map<string, PlacedRecord[]>();
  for (const { topic, records } of topics) {
    for (const record of records) {
      const id = record.delivery?.deliveryId ?? record.attempt?.delivery_id;
      if (id === undefined) continue;
      const list = byDelivery.get(id);
      if (list === undefined) byDelivery.set(id, [{ ...record, topic }]);
      else list.push({ ...record, topic });
    }
  }
  for (const list of byDelivery.values()) list.sort((a, b) => a.timestamp - b.timestamp);
  return byDelivery;
}

function isFor(endpoint: EndpointUnderTest, { first, entries, isRefused }: TriedEvent): boolean {
  const isSubscribed = endpoint.eventTypes.some((subscription) => subscriptionMatches(subscription, first.type));
  const lastEndedAt = Math.max(...entries.map(({ endedAt }) => endedAt ?? Number.POSITIVE_INFINITY));
  return !isRefused && isSubscribed && endpoint.tenant === first.tenant && lastEndedAt >= endpoint.activeFrom;
}

function duty(
  deliveryId: string,
  event: TriedEvent,
  endpoint: EndpointUnderTest,
  own: {
    readonly requests: readonly ReceivedRequest[];
    readonly records: readonly PlacedRecord[];
    readonly row: EventRow | undefined;
  },
): Duty {
  const { requests, records, row } = own;
  const { eventId, resourceId } = event.first;
  const isWithin = event.first.invokedAt >= endpoint.activeFrom && endpoint.activeUntil === undefined;
  const isFannedOut = row?.endpointIds.includes(endpoint.id) ?? false;
  const replays = records.map(({ delivery, attempt }) => delivery?.replay ?? attempt?.replay ?? 0);
  return {
    deliveryId,
    eventId,
    endpoint,
    event,
    lane: laneOf({ ordering: endpoint.ordering, endpointId: endpoint.id, resourceId, deliveryId }),
    isOwed: event.acknowledgedAt !== undefined && (isWithin || isFannedOut),
    requests,
    acceptance: requests.find(isAccepted),
    deadAt: records.find(({ topic }) => topic === 'dlq')?.timestamp,
    lives: 1 + Math.max(0, ...replays),
    records,
  };
}

/** The lane of ordering `endpoint` has many resources: the order of its log applies. */
function orderedLanes(duties: readonly Duty[], evidence: Evidence): Map<string, Duty[]> {
  const ordered = duties.filter(({ lane, deliveryId }) => lane !== deliveryId);
  // Deliveries made again from the archive keep the order of each resource. Partitions of `ingest` have no order among
  // them.
  const isMadeAgain = evidence.faults.some(({ kind }) => kind === 'log_replaced');
  const isBroughtBack = broughtBack(evidence, endOf);
  const nameOf = (duty: Duty) => {
    if (isMadeAgain) return `${duty.lane}\n${duty.event.first.resourceId}`;
    return isBroughtBack(duty) ? `${duty.lane}\nbrought back` : duty.lane;
  };
  const lanes = Map.groupBy(ordered, nameOf);
  for (const [lane, members] of lanes) {
    const [first] = members;
    const placeOf = first?.endpoint.ordering === 'endpoint' && !isMadeAgain ? logOffset : sourceOffset;
    const placed = members.flatMap((member) => {
      const place = placeOf(member);
      return place === undefined ? [] : [{ member, place }];
    });
    lanes.set(
      lane,
      placed.sort((a, b) => a.place - b.place).map(({ member }) => member),
    );
  }
  return lanes;
}

function sourceOffset({ event }: Duty): number | undefined {
  return event.source?.offset;
}

function logOffset({ records }: Duty): number | undefined {
  return records.find(({ topic }) => topic === 'deliveries')?.offset;
}
