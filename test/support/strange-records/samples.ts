import { deliveryIdOf } from '#common/domain/identifiers.js';
import { TIERS } from '#common/domain/tier.js';
import { encodeAttempt } from '#common/records/attempt-record.js';
import { deadLetterHeaders } from '#common/records/dead-letter-record.js';
import { type DeliveryMeta, encodeDelivery, newLife } from '#common/records/delivery-record.js';
import { ENDPOINT } from '../endpoint-record.js';
import type { Sample } from './mutate.js';

/** Endpoints that the records name. No good traffic goes to them. */
export interface Cast {
  /** An endpoint whose deliveries are parked, one that takes all, one that does not exist. */
  readonly endpointIds: readonly string[];
  /** ms since the epoch. */
  readonly nowMs: number;
}

const TENANT = 'strange';
const TYPE = 'strange.thing';

/** Valid records of every format, by topic. `mutate.ts` makes them strange. */
export function samples(cast: Cast, number: number): Readonly<Record<string, readonly Sample[]>> {
  const deliveries = deliverySamples(cast, number);
  const waiting = deliverySamples(cast, number, { dueAt: cast.nowMs + 5_000, tierUntil: cast.nowMs + 4_000 });
  return {
    ingest: [...eventSamples(number), ...deadLetterSamples(cast, number)],
    deliveries: [...deliveries, ...deadLetterSamples(cast, number)],
    ...Object.fromEntries(TIERS.map(({ topic }) => [topic, waiting.slice(1)])),
    attempts: attemptSamples(cast, number),
    dlq: deadLetterSamples(cast, number),
    endpoints: [endpointSample(number)],
    'api-keys': [apiKeySample(number)],
  };
}

function eventSamples(number: number): Sample[] {
  const id = `strange-${number}`;
  const native = {
    id,
    type: TYPE,
    tenant: TENANT,
    resource_id: id,
    occurred_at: '2026-01-31T09:30:00Z',
    data: { number },
  };
  const cloud = {
    specversion: '1.0',
    id,
    source: '/',
    type: TYPE,
    subject: id,
    time: native.occurred_at,
    tenant: TENANT,
  };
  const attributes = Object.entries(cloud).map(([name, text]) => [`ce_${name}`, text]);
  return [
    { kind: 'an event', key: id, value: JSON.stringify(native) },
    {
      kind: 'a structured CloudEvent',
      key: id,
      value: JSON.stringify({ ...cloud, data: { number } }),
      headers: { 'content-type': 'application/cloudevents+json' },
    },
    { kind: 'a binary CloudEvent', key: id, value: '{"number":1}', headers: Object.fromEntries(attributes) },
  ];
}

function metaOf({ endpointIds, nowMs }: Cast, number: number): DeliveryMeta {
  const endpointId = endpointIds[number % endpointIds.length] ?? 'ep_none';
  const eventId = `strange-${number}`;
  const deliveryId = deliveryIdOf(TENANT, eventId, endpointId);
  return newLife({ deliveryId, eventId, endpointId, tenant: TENANT, eventType: TYPE, acceptedAt: nowMs });
}

function deliverySamples(cast: Cast, number: number, over: Partial<DeliveryMeta> = {}): Sample[] {
  const meta = { ...metaOf(cast, number), ...over };
  const returned = { ...meta, attempt: 1, returned: true, place: number };
  const key = `${meta.endpointId}:strange-${number}`;
  return [
    { kind: 'a delivery', key, value: '{"number":1}', headers: { posthorn: encodeDelivery(meta) } },
    { kind: 'a return', key, value: '{"number":1}', headers: { posthorn: encodeDelivery(returned) } },
    {
      kind: 'a delivery alone',
      key: meta.deliveryId,
      value: '',
      headers: { posthorn: encodeDelivery(meta), own: 'x' },
    },
  ];
}

function deadLetterSamples(cast: Cast, number: number): Sample[] {
  const [delivery] = deliverySamples(cast, number);
  const dead = (reason: 'max_retries' | 'payload_error') =>
    deadLetterHeaders({
      reason,
      at: cast.nowMs,
      detail: 'why',
      lastStatus: 500,
      lastError: 'timeout',
      source: `deliveries/0/${number}`,
    });
  return [
    {
      kind: 'a dead letter',
      key: delivery?.key ?? '',
      value: '{}',
      headers: { ...delivery?.headers, ...dead('max_retries') },
    },
    { kind: 'a poison record', key: 'x', value: 'hello', headers: dead('payload_error') },
  ];
}

function attemptSamples(cast: Cast, number: number): Sample[] {
  const meta = metaOf(cast, number);
  const fields = {
    delivery_id: meta.deliveryId,
    event_id: meta.eventId,
    endpoint_id: 'ep_strange',
    tenant: TENANT,
    event_type: TYPE,
    lane: `ep_strange:strange-${number}`,
    accepted_at: cast.nowMs,
    replay: 0,
    attempt: 1 + (number % 2),
    at: cast.nowMs,
    duration_ms: 12,
    status_code: 503,
    error: null,
    error_detail: 'detail',
    outcome: 'retry',
    dead_reason: null,
    gone: false,
    next_attempt_at: cast.nowMs,
    response_body: Buffer.from('a\0b'),
  } as const;
  const json = JSON.stringify({ ...fields, v: 1, response_body: 'YQ==' });
  return [
    { kind: 'an attempt', key: 'ep_strange', value: encodeAttempt(fields) },
    { kind: 'an attempt in JSON', key: 'ep_strange', value: json },
  ];
}

function endpointSample(number: number): Sample {
  const id = `ep_strange-${number % 50}`;
  const record = {
    ...ENDPOINT,
    id,
    tenant: TENANT,
    version: number,
    url: 'http://127.0.0.1:9/',
    event_types: ['strange.*'],
  };
  return { kind: 'an endpoint', key: id, value: JSON.stringify(record) };
}

function apiKeySample(number: number): Sample {
  const id = `strange${number % 50}`;
  const record = {
    v: 1,
    id,
    version: number,
    hash: 'a'.repeat(64),
    tenant: TENANT,
    scopes: ['read'],
    expires_at: null,
  };
  return { kind: 'an API key', key: id, value: JSON.stringify(record) };
}
