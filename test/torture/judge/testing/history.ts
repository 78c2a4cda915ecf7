import { deliveryIdOf } from '../../../../libs/common/src/domain/identifiers.js';
import { laneOf } from '../../../../libs/common/src/domain/lane.js';
import type { AttemptRecord } from '../../../../libs/common/src/records/attempt-record.js';
import type { DeliveryMeta } from '../../../../libs/common/src/records/delivery-record.js';
import type {
  AttemptRow,
  CommitSample,
  DeadLetterRow,
  DeliveryRow,
  EndpointUnderTest,
  EventRow,
  Evidence,
  FaultEvent,
  LedgerEntry,
  LossAlarm,
  ParkedRow,
  ProcessEvent,
  ReceivedRequest,
  Run,
  TopicRecord,
} from '../evidence.js';

/** Start time of generated histories. */
export const T0 = Date.UTC(2026, 0, 5, 12);

export const ENDPOINT: EndpointUnderTest = {
  id: 'ep_1',
  tenant: 'default',
  path: '/one',
  eventTypes: ['*'],
  ordering: 'resource',
  attempts: 4,
  activeFrom: T0,
  activeUntil: undefined,
  isBad: false,
  mayWait: false,
};

const RUN: Run = {
  name: 'made',
  seed: 1,
  startedAt: T0,
  loadEndedAt: T0,
  healedAt: T0,
  quietAt: T0,
  readAt: T0,
  budgets: {
    duplicates: 'explained',
    staleRepeats: 'explained',
    stallMs: 10_000,
    healMs: 10_000,
    isolationMs: undefined,
  },
  mustJudge: [],
};

/** An event of a generated history. */
export interface MadeEvent {
  readonly id: string;
  readonly resource: string;
  readonly deliveryId: string;
  /** Number of attempts. */
  attempts: number;
}

const STEP_MS = 5;

/**
 * Generates evidence step by step, as a system that keeps its promises. A test leaves out a step, or adds a wrong one.
 * One endpoint, one partition per topic.
 */
export class History {
  now = T0;
  run: Run = RUN;
  readonly endpoint: EndpointUnderTest;
  readonly ledger: LedgerEntry[] = [];
  readonly requests: ReceivedRequest[] = [];
  readonly faults: FaultEvent[] = [];
  readonly processes: ProcessEvent[] = [];
  readonly alarms: LossAlarm[] = [];
  readonly parked: ParkedRow[] = [];
  readonly deadLetters: DeadLetterRow[] = [];
  private readonly events: EventRow[] = [];
  private readonly deliveries = new Map<string, DeliveryRow>();
  private readonly attempts: AttemptRow[] = [];
  private readonly topics = new Map<string, TopicRecord[]>();
  private readonly starts = new Map<string, number>();
  private readonly finished = new Map<string, Set<number>>();
  private readonly commits: CommitSample[] = [];
  private line = 0;

  constructor(endpoint: Partial<EndpointUnderTest> = {}) {
    this.endpoint = { ...ENDPOINT, ...endpoint };
  }

  tick(ms = STEP_MS): number {
    this.now += ms;
    return this.now;
  }

  /** Publishes an event. @param isStored whether `ingest` has it, as the acknowledgement promises */
  publish(resource: string, { outcome = 'ok' as LedgerEntry['outcome'], isStored = true } = {}): MadeEvent {
    const number = this.ledger.filter(({ resourceId }) => resourceId === resource).length;
    const id = `${resource}-${number}`;
    const deliveryId = deliveryIdOf(this.endpoint.tenant, id, this.endpoint.id);
    const invokedAt = this.tick();
    if (isStored) this.append('ingest', { key: resource, eventId: id });
    this.ledger.push({
      ...{ eventId: id, tenant: 'default', type: 'made', resourceId: resource, number, door: 'http' },
      ...{ invokedAt, endedAt: this.tick(), outcome, detail: '', position: undefined, expects: 'delivery' },
    });
    return { id, resource, deliveryId, attempts: 0 };
  }

  /** The router archives the event and makes its delivery. */
  route(event: MadeEvent): void {
    const source = this.of('ingest').find(({ eventId }) => eventId === event.id);
    const sourceOffset = source?.offset ?? 0;
    this.events.push({
      ...{ tenant: 'default', id: event.id, sourcePartition: 0, sourceOffset, endpointIds: [this.endpoint.id] },
    });
    this.append('deliveries', { delivery: this.meta(event, false) });
    this.finish('ingest', sourceOffset);
  }

  /** A request that arrives. `answer` adds its response. */
  arrive(event: MadeEvent, attempt = event.attempts + 1): number {
    const source = this.of('ingest').find(({ eventId }) => eventId === event.id);
    return (
      this.requests.push({
        ...{ arrivedLine: this.line++, arrivedAt: this.tick(), endedLine: undefined, endedAt: undefined },
        ...{ endpointId: this.endpoint.id, eventId: event.id, resourceId: event.resource, webhookId: event.id },
        ...{ sequence: source?.offset ?? -1, attempt, status: undefined, isSigned: true, isCut: false },
      }) - 1
    );
  }

  answer(index: number, status: number | undefined, isCut = false): void {
    const request = this.requests[index];
    if (request === undefined) throw new Error(`there is no request ${index}`);
    this.requests[index] = { ...request, endedLine: this.line++, endedAt: this.tick(), status, isCut };
  }

  /** Adds the dispatcher's record of an attempt, and its projection. */
  tell(event: MadeEvent, outcome: AttemptRecord['outcome'], statusCode: number | undefined): void {
    event.attempts++;
    const { deliveryId, attempts: attempt } = event;
    const { id: endpointId, tenant } = this.endpoint;
    this.append('attempts', {
      attempt: {
        ...{ delivery_id: deliveryId, event_id: event.id, endpoint_id: endpointId, tenant, event_type: 'made' },
        ...{ lane: this.laneOf(event), accepted_at: T0, replay: 0, attempt, at: this.now, duration_ms: 1 },
        ...{
          status_code: statusCode ?? null,
          error: null,
          error_detail: null,
          outcome,
          dead_reason: null,
          gone: false,
        },
        ...{ next_attempt_at: null, response_body: null },
      },
    });
    this.attempts.push({ deliveryId, replay: 0, attempt, at: this.now, statusCode, error: undefined, outcome });
    this.deliveries.set(deliveryId, {
      ...{ id: deliveryId, eventId: event.id, endpointId, lane: this.laneOf(event), replay: 0, attempts: attempt },
      ...{ status: outcome === 'retry' ? 'retrying' : outcome, deadReason: undefined },
    });
  }

  /** A successful attempt, with all its effects. */
  deliver(event: MadeEvent): void {
    this.answer(this.arrive(event), 200);
    this.tell(event, 'delivered', 200);
    this.finishDelivery(event);
  }

  /** An attempt that fails, and the delivery in its tier. */
  fail(event: MadeEvent): void {
    this.answer(this.arrive(event), 500);
    this.tell(event, 'retry', 500);
    this.append('retry-4s', { delivery: this.meta(event, false) });
    this.finishDelivery(event);
  }

  /** The last attempt fails: a dead letter. */
  die(event: MadeEvent): void {
    this.answer(this.arrive(event), 500);
    const { offset } = this.append('dlq', {
      delivery: this.meta(event, false),
      dead: { reason: 'max_retries', source: 'deliveries/0/0' },
    });
    this.tell(event, 'dead', 500);
    this.deadLetters.push({
      ...{ partition: 0, offset, reason: 'max_retries', eventId: event.id, endpointId: this.endpoint.id },
      ...{ deliveryId: event.deliveryId, isReplayed: false },
    });
    this.finishDelivery(event);
  }

  /** The scheduler returns the delivery. */
  bringBack(event: MadeEvent): void {
    this.append('deliveries', { delivery: this.meta(event, true) });
    for (const { offset, delivery } of this.of('retry-4s')) {
      if (delivery?.deliveryId === event.deliveryId) this.finish('retry-4s', offset);
    }
  }

  /** A rebuild writes the delivery's record again. */
  sendAgain(event: MadeEvent): void {
    event.attempts = 0;
    this.append('deliveries', { delivery: this.meta(event, false) });
  }

  park(event: MadeEvent): void {
    const place = this.of('deliveries').findLast(({ delivery }) => delivery?.deliveryId === event.deliveryId)?.offset;
    this.parked.push({
      lane: this.laneOf(event),
      place: place ?? 0,
      deliveryId: event.deliveryId,
    });
    this.finishDelivery(event);
  }

  /** Removes a parked row. */
  unpark(event: MadeEvent): void {
    this.parked.splice(
      0,
      this.parked.length,
      ...this.parked.filter(({ deliveryId }) => deliveryId !== event.deliveryId),
    );
  }

  finishDelivery({ deliveryId }: MadeEvent): void {
    for (const { offset, delivery } of this.of('deliveries')) {
      if (delivery?.deliveryId === deliveryId) this.finish('deliveries', offset);
    }
  }

  finish(topic: string, offset: number): void {
    const finished = this.finished.get(topic) ?? new Set();
    this.finished.set(topic, finished.add(offset));
  }

  breaker(state: 'closed' | 'open' | 'half_open'): void {
    this.append('endpoints', { key: this.endpoint.id, breaker: state });
  }

  /** Retention removes a topic's records below this offset. */
  truncate(topic: string, start: number): void {
    this.starts.set(topic, start);
  }

  /** Adds a sample of commits and parked rows. */
  sample(): void {
    const beganAt = this.tick();
    const positions = ['ingest', 'deliveries', 'retry-4s'].map((topic) => {
      const finished = this.finished.get(topic) ?? new Set();
      let offset = 0;
      while (finished.has(offset)) offset++;
      const finishedAbove = [...finished].filter((each) => each > offset);
      return { group: `reader of ${topic}`, topic, partition: 0, offset, finishedAbove };
    });
    const parked = new Set(this.parked.map(({ deliveryId }) => deliveryId));
    this.commits.push({ beganAt, endedAt: this.tick(), positions, parked });
  }

  evidence(): Evidence {
    this.sample();
    const at = this.tick();
    const healedAt = Math.max(T0, ...this.faults.map(({ to }) => to));
    const run = { ...this.run, loadEndedAt: at, healedAt, quietAt: this.run.quietAt && at, readAt: at };
    return {
      ...{ run, endpoints: [this.endpoint], ledger: this.ledger, requests: this.requests, commits: this.commits },
      ...{ processes: this.processes, faults: this.faults, alarms: this.alarms },
      rows: {
        ...{ events: this.events, deliveries: [...this.deliveries.values()], attempts: this.attempts, heads: [] },
        ...{ parked: this.parked, deadLetters: this.deadLetters, outboxRows: 0 },
      },
      topics: [...this.topics].map(([topic, records]) => ({
        topic,
        partitions: [{ partition: 0, start: this.starts.get(topic) ?? 0, end: records.length }],
        records,
      })),
    };
  }

  append(topic: string, content: Partial<TopicRecord>): TopicRecord {
    const list = this.of(topic);
    const empty = { key: undefined, eventId: undefined, delivery: undefined, attempt: undefined, dead: undefined };
    const record = {
      ...empty,
      breaker: undefined,
      partition: 0,
      offset: list.length,
      timestamp: this.tick(),
      ...content,
    };
    list.push(record);
    return record;
  }

  private of(topic: string): TopicRecord[] {
    const list = this.topics.get(topic) ?? [];
    this.topics.set(topic, list);
    return list;
  }

  private laneOf({ deliveryId, resource }: MadeEvent): string {
    const { ordering, id } = this.endpoint;
    return laneOf({ ordering, endpointId: id, resourceId: resource, deliveryId });
  }

  private meta({ deliveryId, id, attempts }: MadeEvent, returned: boolean): DeliveryMeta {
    const { id: endpointId, tenant } = this.endpoint;
    return {
      ...{ deliveryId, eventId: id, endpointId, tenant, eventType: 'made', attempt: attempts, replay: 0 },
      ...{ acceptedAt: T0, returned, place: undefined, dueAt: undefined, tierUntil: undefined },
    };
  }
}
