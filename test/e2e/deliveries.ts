import { setTimeout as delay } from 'node:timers/promises';
import { CloudEvent, HTTP } from 'cloudevents';
import Stripe from 'stripe';
import { ENDPOINT_KNOWN_AFTER_MS, type EventInput } from '../support/client.js';
import { first } from '../support/receiver.js';
import { until } from '../support/until.js';
import type { SystemInUse } from '../support/use-system.js';

export function whatEndpointsGet(use: SystemInUse): void {
  it('given an event over HTTP, then body and headers are as documented, and the history shows it', async () => {
    const hook = use.receiver.hook();
    const endpointId = await use.client.createEndpoint(hook, { event_types: ['invoice.paid'] });
    const data = { amount: 4200, lines: [{ text: 'ä €' }] };
    const occurredAt = '2026-01-31T09:30:00.5+01:00';
    const event = { id: 'evt-1', type: 'invoice.paid', resource_id: 'invoice-7', occurred_at: occurredAt, data };

    expect(await use.client.publish(event)).toBe('evt-1');

    const { attempts, ...delivery } = await use.client.deliveryOnce('evt-1', { status: 'delivered' });
    const [hit, another] = hook.hits;
    expect(another).toBeUndefined();
    expect(hit?.body).toBe(
      `{"id":"evt-1","type":"invoice.paid","occurred_at":"${occurredAt}","sequence":${hit?.event.sequence},` +
        `"resource_id":"invoice-7","data":${JSON.stringify(data)}}`,
    );
    expect(hit?.event.sequence).toEqual(expect.any(Number));
    expect(hit?.headers).toMatchObject({
      'content-type': 'application/json',
      'webhook-id': 'evt-1',
      'idempotency-key': 'evt-1',
      'webhook-attempt': '1',
      'webhook-timestamp': expect.stringMatching(/^\d{10}$/),
      'webhook-signature': expect.stringMatching(/^v1,[A-Za-z0-9+/]{43}=$/),
      'user-agent': expect.stringMatching(/^Posthorn\//),
    });
    expect(delivery).toMatchObject({ event_id: 'evt-1', endpoint_id: endpointId, next_attempt_at: null });
    const at = expect.stringMatching(/^\d{4}-.+Z$/);
    expect(attempts).toEqual([{ at, status_code: 200, duration_ms: expect.any(Number), error: null }]);
  });

  it('given a thin endpoint with static headers and a second signature, then its messages have both, and no data', async () => {
    const hook = use.receiver.hook();
    await use.client.createEndpoint(hook, {
      event_types: ['thin.made'],
      payload: 'thin',
      headers: { 'X-Team': 'billing' },
      signature_header: 'X-Signature',
    });

    const id = await use.client.publish({ type: 'thin.made', resource_id: 'thing-1', data: { left: 'out' } });

    await until('it arrives', () => hook.hits.length > 0);
    const [hit] = hook.hits;
    expect(Object.keys(hit?.event ?? {})).toEqual(['id', 'type', 'occurred_at', 'sequence', 'resource_id']);
    expect(hit?.headers).toMatchObject({ 'x-team': 'billing', 'webhook-id': id });
    const signature = String(hit?.headers['x-signature']);
    expect(signature).toMatch(/^t=\d{10},v1=[0-9a-f]{64}$/);
    const verified = Stripe.webhooks.constructEvent(String(hit?.body), signature, hook.secret ?? '');
    expect(verified).toMatchObject({ id });
  });

  it('given exact types and wildcards, then each endpoint gets the events of its subscriptions, of its own tenant', async () => {
    const tenant = 'subscribers';
    const subscriptions = { exact: ['invoice.paid'], prefix: ['invoice.*'], all: ['*'] };
    const nameOf = new Map<string, string>();
    for (const [name, types] of Object.entries(subscriptions)) {
      nameOf.set(await use.client.createEndpoint(use.receiver.hook(), { tenant, event_types: types }), name);
    }

    const takersOf = async (type: string) => {
      const id = await use.client.publish({ type, tenant, data: null });
      await until(`${type} is delivered`, async () => {
        const deliveries = await use.client.deliveries({ event_id: id });
        return deliveries.length > 0 && deliveries.every(({ status }) => status === 'delivered');
      });
      return (await use.client.deliveries({ event_id: id })).map((delivery) => nameOf.get(delivery.endpoint_id)).sort();
    };

    expect(await takersOf('invoice.paid')).toEqual(['all', 'exact', 'prefix']);
    expect(await takersOf('invoice.line.added')).toEqual(['all', 'prefix']);
    expect(await takersOf('invoice')).toEqual(['all']);
    expect(await takersOf('invoices.paid')).toEqual(['all']);
  });

  describe('events of any door', () => {
    const occurredAt = '2026-01-31T09:30:00.000Z';
    const data = { n: 1 };
    const cloudEvent = (id: string) =>
      new CloudEvent({ id, type: 'door.taken', source: '/tests', time: occurredAt, subject: 'door-1', data });
    const native = (id: string): EventInput => {
      return { id, type: 'door.taken', resource_id: 'door-1', occurred_at: occurredAt, data };
    };
    const post = async ({ headers, body }: { headers: object; body: unknown }) => {
      const authorization = `Bearer ${use.system.run.api_key}`;
      const all = { ...headers, authorization } as Record<string, string>;
      const answer = await fetch(`${use.system.run.ingest_url}/v1/events`, {
        method: 'POST',
        headers: all,
        body: `${body}`,
      });
      expect(answer.status).toBe(202);
    };
    const kafkaHeaders = { ce_specversion: '1.0', ce_type: 'door.taken', ce_source: '/tests', ce_subject: 'door-1' };
    const doors: Record<string, (id: string) => Promise<unknown>> = {
      'native over HTTP': (id) => use.client.publish(native(id)),
      'CloudEvents, binary, over HTTP': (id) => post(HTTP.binary(cloudEvent(id))),
      'CloudEvents, structured, over HTTP': (id) => post(HTTP.structured(cloudEvent(id))),
      'native over Kafka': (id) => use.client.publishByKafka(native(id)),
      'CloudEvents, binary, over Kafka': (id) => {
        const headers = { ...kafkaHeaders, ce_id: id, ce_time: occurredAt, 'content-type': 'application/json' };
        return use.client.produce('ingest', { key: 'door-1', value: JSON.stringify(data), headers });
      },
      'CloudEvents, structured, over Kafka': (id) => {
        const headers = { 'content-type': 'application/cloudevents+json' };
        return use.client.produce('ingest', { key: 'door-1', value: JSON.stringify(cloudEvent(id)), headers });
      },
    };

    it('reach the endpoint with the same content, in order', async () => {
      const hook = use.receiver.hook();
      await use.client.createEndpoint(hook, { event_types: ['door.taken'] });

      for (const [name, publish] of Object.entries(doors)) await publish(name);

      await until('all arrive', () => hook.hits.length === Object.keys(doors).length);
      const expected = { type: 'door.taken', occurred_at: occurredAt, resource_id: 'door-1', data };
      expect(hook.hits.map(({ event }) => event)).toEqual(
        Object.keys(doors).map((id) => ({ id, sequence: expect.any(Number), ...expected })),
      );
      const sequences = hook.hits.map(({ event }) => event.sequence);
      expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
    });
  });

  it("given the producers' traces, then they reach the endpoint, by both doors, through a retry and a parked row", async () => {
    const hook = use.receiver.hook(first({ status: 503 }));
    await use.client.createEndpoint(hook, { event_types: ['trace.made'] });
    const traceOf = (last: number) => `00-0af7651916cd43dd8448eb211c80319c-${'b'.repeat(15)}${last}-01`;
    const published = await fetch(`${use.system.run.ingest_url}/v1/events`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${use.system.run.api_key}`,
        'content-type': 'application/json',
        traceparent: traceOf(1),
        tracestate: 'acme=1',
      },
      body: JSON.stringify({ type: 'trace.made', resource_id: 'trace-1', data: 1 }),
    });
    expect(published.status).toBe(202);
    const value = JSON.stringify({ id: 'trace-2', type: 'trace.made', resource_id: 'trace-1', data: 2 });
    await use.client.produce('ingest', { key: 'trace-1', value, headers: { traceparent: traceOf(2) } });

    await until('both are delivered', () => hook.hits.length === 3);
    expect(
      hook.hits.map(({ headers }) => [headers['webhook-attempt'], headers.traceparent, headers.tracestate]),
    ).toEqual([
      ['1', traceOf(1), 'acme=1'],
      ['2', traceOf(1), 'acme=1'],
      ['1', traceOf(2), undefined],
    ]);
  });

  it('given an event 500 ms after the 201 of an endpoint, then the event is always delivered to that endpoint', async () => {
    const hooks = Array.from({ length: 10 }, () => use.receiver.hook());
    const url = `${use.system.run.control_url}/v1/endpoints`;
    for (const hook of hooks) {
      const { body } = await use.system.request(url, { url: hook.url, event_types: ['news.made'] });
      hook.secret = (body as { secret: string }).secret;
      await delay(ENDPOINT_KNOWN_AFTER_MS);
      await use.client.publish({ type: 'news.made', data: null });
    }

    const counts = () => hooks.map(({ hits }) => hits.length);
    const expected = hooks.map((_, index) => hooks.length - index);
    await until(
      'the last arrives everywhere',
      () => counts().every((count) => count > 0) && sum(counts()) >= sum(expected),
    );
    expect(counts()).toEqual(expected);
  });

  it('given the same id several times and over both doors, then the event is delivered once, and duplicates are counted', async () => {
    const hook = use.receiver.hook();
    await use.client.createEndpoint(hook, { event_types: ['twin.made'] });
    const duplicates = () => use.client.metric('ingest', 'posthorn_events_duplicate_total');
    const before = await duplicates();
    const twin = { id: 'evt-twin', type: 'twin.made', data: 1 };

    await Promise.all([use.client.publish(twin), use.client.publish({ ...twin, data: 2 })]);
    await use.client.publishByKafka({ ...twin, resource_id: 'r' });
    await use.client.publish({ ...twin, tenant: 'another' });

    await until('the duplicates are counted', async () => (await duplicates()) === before + 2);
    const { attempts } = await use.client.deliveryOnce('evt-twin', { status: 'delivered' });
    expect({ attempts: attempts.length, hits: hook.hits.length }).toEqual({ attempts: 1, hits: 1 });
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
