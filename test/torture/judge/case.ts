import { deliveryIdOf } from '../../../libs/common/src/domain/identifiers.js';
import { laneOf } from '../../../libs/common/src/domain/lane.js';
import { subscriptionMatches } from '../../../libs/common/src/domain/subscription.js';
import type { EndpointUnderTest, EventRow, Evidence, LedgerEntry, ReceivedRequest, TopicRecord } from './evidence.js';
import { broughtBack } from './restored-lanes.js';

/** All tries to hand in one event, and what came of them. */
export interface TriedEvent {
  readonly entries: readonly LedgerEntry[];
  readonly first: LedgerEntry;
  /** When the first acknowledgement came; undefined when none did. */
  readonly acknowledgedAt: number | undefined;
  /** Whether every try was refused for certain. */
  readonly isRefused: boolean;
  /** Where the router takes it from: what it archived, else its first record in `ingest`. */
  readonly source: { readonly partition: number; readonly offset: number } | undefined;
}

/** One event and one endpoint it is for: what becomes a delivery. */
export interface Duty {
  readonly deliveryId: string;
  readonly eventId: string;
  readonly endpoint: EndpointUnderTest;
  readonly event: TriedEvent;
  readonly lane: string;
  /** Whether it must come to an end; else it may or may not exist. */
  readonly isOwed: boolean;
  /** At the receiver, in the order of arrival. */
  readonly requests: readonly ReceivedRequest[];
  /** The first request that was answered with 2xx. */
  readonly acceptance: ReceivedRequest | undefined;
  /** When it became a dead letter for the first time. */
  readonly deadAt: number | undefined;
  /** 1, and one for every replay. */
  readonly lives: number;
  /** Its records in all topics, in the order of time. */
  readonly records: readonly PlacedRecord[];
}

export interface PlacedRecord extends TopicRecord {
  readonly topic: string;
}

/** The evidence, arranged by what was promised. */
export interface Case {
  readonly evidence: Evidence;
  readonly events: ReadonlyMap<string, TriedEvent>;
  readonly duties: readonly Duty[];
  readonly byDelivery: ReadonlyMap<string, Duty>;
  /** Duties of ordered lanes, by lane, in the order in which `ingest` has their events. */
  readonly lanes: ReadonlyMap<string, readonly Duty[]>;
  /** Requests that no duty explains. */
  readonly strangers: readonly ReceivedRequest[];
}

export function isAccepted({ status }: ReceivedRequest): boolean {
  return status !== undefined && status >= 200 && status < 300;
}

/** Whether the delivery is over: the endpoint has it, or it is a dead letter. */
export function isTerminal({ acceptance, deadAt }: Duty): boolean {
  return acceptance !== undefined || deadAt !== undefined;
}

/** When it was first delivered or dead, ms since the epoch; undefined when it is not. */
export function endOf({ acceptance, deadAt }: Duty): number | undefined {
  const ends = [acceptance?.endedAt, deadAt].filter((at) => at !== undefined);
  return ends.length === 0 ? undefined : Math.min(...ends);
}

/**
 * Since when the first attempt of a delivery could be made: it is acknowledged, and what is ahead of it in its lane is
 * over. Undefined while that is not so. ms since the epoch.
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

/** An endpoint's own lane holds many resources: what counts there is the order of its log. */
function orderedLanes(duties: readonly Duty[], evidence: Evidence): Map<string, Duty[]> {
  const ordered = duties.filter(({ lane, deliveryId }) => lane !== deliveryId);
  // What is made again from the archive keeps the order of each resource: between partitions of `ingest` there is none.
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
