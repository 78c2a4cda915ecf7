import { laneOf } from '#common/domain/lane.js';
import type { Random } from '#common/domain/testing/random.js';
import type { KafkajsProducer } from '#common/kafka/kafkajs/producer/producer.js';
import { encodeDelivery } from '#common/records/delivery-record.js';
import type { OutRecord } from '#common/records/record.js';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';
import type { EndpointShape, Shape } from './shape.js';
import { BEGINNING } from './virtual-time.js';

/** A delivery that the router makes. */
export interface Duty {
  readonly id: string;
  readonly endpointId: string;
  readonly lane: string;
  readonly isOrdered: boolean;
  /** Index among the deliveries of its lane. */
  readonly index: number;
}

/** Every delivery of a history, in the order of the router's writes. */
export function dutiesOf(shape: Shape, random: Random): Duty[] {
  const left = shape.endpoints.map((endpoint) => ({ endpoint, made: 0 }));
  const byLane = new Map<string, number>();
  const duties: Duty[] = [];
  while (left.length > 0) {
    const one = random.among(left);
    duties.push(dutyOf(one.endpoint, one.made++, byLane, random));
    if (one.made >= one.endpoint.deliveries) left.splice(left.indexOf(one), 1);
  }
  return duties;
}

/** Adds a delivery of an endpoint, after all others. */
export function canaryOf(endpoint: EndpointShape, number: number, duties: readonly Duty[], random: Random): Duty {
  const byLane = new Map<string, number>();
  for (const { lane } of duties) byLane.set(lane, (byLane.get(lane) ?? 0) + 1);
  return dutyOf(endpoint, number, byLane, random);
}

function dutyOf(endpoint: EndpointShape, number: number, byLane: Map<string, number>, random: Random): Duty {
  const resourceId = `r${random.pick(endpoint.resources)}`;
  const deliveryId = `dlv_${endpoint.id}_${number}`;
  const lane = laneOf({ ordering: endpoint.ordering, endpointId: endpoint.id, resourceId, deliveryId });
  const index = byLane.get(lane) ?? 0;
  byLane.set(lane, index + 1);
  return { id: deliveryId, endpointId: endpoint.id, lane, isOrdered: lane !== deliveryId, index };
}

/** The router: writes deliveries in order, and after a crash again from its commit. */
export class Router {
  private next = 0;
  private isWriting = false;

  constructor(
    private readonly duties: Duty[],
    private readonly producer: KafkajsProducer,
  ) {}

  get isDone(): boolean {
    return this.next >= this.duties.length && !this.isWriting;
  }

  /** Writes at most `most` deliveries, unless a write is in flight. */
  async write(count: number): Promise<void> {
    if (this.isWriting || this.next >= this.duties.length) return;
    this.isWriting = true;
    const batch = this.duties.slice(this.next, this.next + count);
    this.next += batch.length;
    await this.producer.write(batch.map((duty) => recordOf(duty)));
    this.isWriting = false;
  }

  /** Simulates a kill before the commit of the last `most` deliveries. @returns false during a write */
  repeat(count: number): boolean {
    if (this.isWriting || this.next === 0) return false;
    this.next = Math.max(0, this.next - count);
    return true;
  }
}

const BODY = Buffer.from('{}');

function recordOf({ id, endpointId, lane }: Duty): OutRecord {
  const header = encodeDelivery({
    deliveryId: id,
    eventId: `evt_${id}`,
    endpointId,
    tenant: 'default',
    eventType: 'a.b',
    attempt: 0,
    replay: 0,
    // The event's time: the same after a repeated fan-out.
    acceptedAt: BEGINNING,
    returned: false,
    place: undefined,
    dueAt: undefined,
    tierUntil: undefined,
  });
  return { topic: DELIVERIES_TOPIC, key: lane, value: BODY, headers: { posthorn: header } };
}
