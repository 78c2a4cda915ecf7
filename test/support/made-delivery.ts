import { deliveryIdOf } from '#common/domain/identifiers.js';
import { newId } from '#common/random/new-id.js';
import { type AttemptRecord, encodeAttempt } from '#common/records/attempt-record.js';
import { type DeadLetterInfo, deadLetterHeaders } from '#common/records/dead-letter-record.js';
import { encodeDelivery } from '#common/records/delivery-record.js';
import type { OutRecord } from '#common/records/record.js';
import { ATTEMPTS_TOPIC, DLQ_TOPIC } from '#common/records/topics.js';
import type { Answer, ControlApp } from './control-app.js';
import { until } from './until.js';

/** One event of the tenant acme, archived and fanned out to an endpoint as by the router. */
export async function newDelivery(control: ControlApp, endpoint: string, type = 'invoice.paid') {
  const eventId = newId('evt');
  const acceptedAt = Date.now();
  await control.database.query(
    `INSERT INTO events (tenant, id, type, resource_id, occurred_at, accepted_at, source_partition, source_offset, endpoint_ids, data)
     VALUES ('acme', $1, $4, 'inv-1', $2, $2, 0, 41, $3, '{"n":12}')`,
    [eventId, new Date(acceptedAt), [endpoint], type],
  );
  const id = deliveryIdOf('acme', eventId, endpoint);
  return { id, eventId, acceptedAt, endpoint, type, lane: `${endpoint}:inv-1` };
}
export type Made = Awaited<ReturnType<typeof newDelivery>>;

/** One attempt of the delivery; by default delivered. */
export function attemptRecord(made: Made, over: Partial<AttemptRecord> = {}): AttemptRecord {
  return {
    delivery_id: made.id,
    event_id: made.eventId,
    endpoint_id: made.endpoint,
    tenant: 'acme',
    event_type: made.type,
    lane: made.lane,
    accepted_at: made.acceptedAt,
    replay: 0,
    attempt: 1,
    at: Date.now(),
    duration_ms: 12,
    status_code: 200,
    error: null,
    error_detail: null,
    outcome: 'delivered',
    dead_reason: null,
    gone: false,
    next_attempt_at: null,
    response_body: null,
    ...over,
  };
}

/** Record of `attempts` for {@link attemptRecord}. */
export function attempt(made: Made, over: Partial<AttemptRecord> = {}): OutRecord {
  return { topic: ATTEMPTS_TOPIC, key: made.endpoint, value: encodeAttempt(attemptRecord(made, over)) };
}

/** Record of the delivery in `dlq`. */
export function deadLetter(made: Made, over: Partial<DeadLetterInfo> = {}, replay = 0): OutRecord {
  const meta = encodeDelivery({
    deliveryId: made.id,
    eventId: made.eventId,
    endpointId: made.endpoint,
    tenant: 'acme',
    eventType: made.type,
    attempt: 4,
    replay,
    acceptedAt: made.acceptedAt,
    returned: true,
    place: 3,
    dueAt: undefined,
    tierUntil: undefined,
  });
  const info = {
    reason: 'max_retries',
    at: Date.now(),
    detail: 'gave up',
    lastStatus: 500,
    lastError: undefined,
    source: 'deliveries/0/9',
    ...over,
  } as const;
  return {
    topic: DLQ_TOPIC,
    key: made.lane,
    value: Buffer.from([1, 0, 255]),
    headers: { posthorn: meta, own: 'kept', ...deadLetterHeaders(info) },
  };
}

/** Waits until the API shows the delivery with this status. */
export async function deliveryOnce(control: ControlApp, id: string, status: string): Promise<Answer['body']> {
  const read = async () => (await control.get(`/v1/deliveries/${id}`)).body;
  await until(`${id} is ${status}`, async () => (await read()).status === status);
  return read();
}

/** Waits for the dead letter of a delivery. */
export async function deadLetterOf(control: ControlApp, { id, endpoint }: Made): Promise<Answer['body']> {
  const list = async () => (await control.get(`/v1/dead-letters?endpoint_id=${endpoint}&limit=200`)).body.items;
  const find = async () => (await list()).find(({ delivery_id }: { delivery_id: string }) => delivery_id === id);
  await until(`${id} has a dead letter`, async () => (await find()) !== undefined);
  return find();
}
