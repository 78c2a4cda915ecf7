import type { ShownDelivery } from '../support/client.js';
import { always, first, type Hit, type Hook, ok } from '../support/receiver.js';
import type { TailRecord } from '../support/topic-tail.js';
import { until } from '../support/until.js';
import type { SystemInUse } from '../support/use-system.js';

/** Allowed lateness. The promise is 250 ms at p99; a machine that runs tests may be busy for a moment. */
const LATE_LIMIT_MS = 500;
const QUICK_WAITS_MS = [4_000, 16_000, 64_000];

/** The slowest schedule: its deliveries begin before the other tests, and a later test checks them. */
export function ofSlowestSchedule(use: SystemInUse): { readonly hook: Hook } {
  let neverWell: Hook | undefined;
  beforeAll(async () => {
    neverWell = use.receiver.hook(always(500));
    await use.client.createEndpoint(neverWell, { event_types: ['schedule.begun'], retry_policy: { preset: 'quick' } });
    await use.client.publish({ id: 'evt-schedule', type: 'schedule.begun', resource_id: 'r', data: null });
  });
  return {
    get hook() {
      return neverWell ?? fail();
    },
  };
}

export function whatBecomesOfFailures(use: SystemInUse, schedule: { readonly hook: Hook }): void {
  it('given an endpoint that fails once, then the next attempt delivers, with the same id', async () => {
    const hook = use.receiver.hook(first({ status: 500 }, { status: 302, headers: { location: '/elsewhere' } }));
    await use.client.createEndpoint(hook, { event_types: ['moment.passed'], retry_policy: { delays_s: [0.1, 0.2] } });

    const id = await use.client.publish({ type: 'moment.passed', data: null });

    const { attempts } = await use.client.deliveryOnce(id, { status: 'delivered' });
    expect(attempts.map(({ status_code }) => status_code)).toEqual([500, 302, 200]);
    expect(hook.hits.map(({ headers }) => headers['webhook-id'])).toEqual([id, id, id]);
    expect(hook.hits.map(({ headers }) => headers['webhook-attempt'])).toEqual(['1', '2', '3']);
    expect(new Set(hook.hits.map(({ body }) => body)).size).toBe(1);
  });

  it('given an endpoint that hangs, then the attempt ends at its timeout, and a retry follows', async () => {
    const hook = use.receiver.hook(first('hang'));
    await use.client.createEndpoint(hook, {
      event_types: ['patience.lost'],
      timeout_ms: 1_000,
      retry_policy: { delays_s: [0.1] },
    });

    const id = await use.client.publish({ type: 'patience.lost', data: null });

    const { attempts } = await use.client.deliveryOnce(id, { status: 'delivered' });
    expect(attempts).toMatchObject([
      { status_code: null, error: 'timeout' },
      { status_code: 200, error: null },
    ]);
    const [timedOut] = attempts;
    expect(timedOut?.duration_ms).toBeGreaterThanOrEqual(1_000);
    expect(timedOut?.duration_ms).toBeLessThan(1_000 + LATE_LIMIT_MS);
  });

  it.each([429, 503])('given Retry-After with a %i, then the next attempt waits as long', async (status) => {
    const type = `asked.${status}`;
    const hook = use.receiver.hook(first({ status, headers: { 'retry-after': '3' } }));
    // Retry-After delays an attempt at most to the policy's longest delay.
    await use.client.createEndpoint(hook, { event_types: [type], retry_policy: { delays_s: [0.5, 6] } });

    const id = await use.client.publish({ type, data: null });

    await use.client.deliveryOnce(id, { status: 'delivered' });
    expectWaits(hook.hits, [3_000]);
  });

  it('given Retry-After with another status, then the policy alone decides', async () => {
    const hook = use.receiver.hook(first({ status: 500, headers: { 'retry-after': '5' } }));
    await use.client.createEndpoint(hook, { event_types: ['asked.500'], retry_policy: { delays_s: [0.5, 6] } });

    const id = await use.client.publish({ type: 'asked.500', data: null });

    await use.client.deliveryOnce(id, { status: 'delivered' });
    expectWaits(hook.hits, [500]);
  });

  it('given a status that the policy treats as permanent, then the delivery is dead at once', async () => {
    const hook = use.receiver.hook(always(404));
    const endpointId = await use.client.createEndpoint(hook, {
      event_types: ['place.gone'],
      retry_policy: { delays_s: [0.1], permanent_statuses: [404] },
    });

    const id = await use.client.publish({ type: 'place.gone', data: null });

    await expectDead(id, endpointId, { reason: 'unrecoverable', statuses: [404] });
    expect(hook.hits.length).toBe(1);
  });

  it('given a 410, then the delivery is dead, and the endpoint is disabled and gets no further event', async () => {
    const hook = use.receiver.hook(always(410));
    const endpointId = await use.client.createEndpoint(hook, { event_types: ['customer.left'] });
    const url = `${use.system.run.control_url}/v1/endpoints/${endpointId}`;

    const id = await use.client.publish({ type: 'customer.left', data: null });

    await expectDead(id, endpointId, { reason: 'invalid_endpoint', statuses: [410] });
    const endpoint = async () => (await use.system.request(url)).body as { status: string; disabled_reason: string };
    await until('the endpoint is disabled', async () => (await endpoint()).status === 'disabled');
    expect((await endpoint()).disabled_reason).toBe('gone');
    await until('no endpoint takes a later event', async () => {
      const later = await use.client.publish({ type: 'customer.left', data: null });
      await until('it is routed', () => use.client.isRouted(later));
      return (await use.client.deliveries({ event_id: later })).length === 0;
    });
  });

  describe('given a dead letter of an endpoint that always fails', () => {
    /** Ways to replay the dead letters of an endpoint. */
    const ways: Record<string, (endpointId: string) => Promise<unknown>> = {
      'by the API': async (endpointId) => {
        const [letter] = await use.client.deadLetters({ endpoint_id: endpointId, replayed: 'false' });
        const url = `${use.system.run.control_url}/v1/dead-letters/${letter?.id}/replay`;
        expect(await use.system.request(url, {})).toMatchObject({ status: 202 });
      },
      'by copying its record to deliveries': (endpointId) => copyLast(endpointId, 'deliveries'),
      'by copying its record to ingest': (endpointId) => copyLast(endpointId, 'ingest'),
      'by npm run replay': async (endpointId) => {
        const { code, output } = await use.home.runToEnd('replay', {}, [
          '--to',
          'deliveries',
          '--endpoint',
          endpointId,
        ]);
        expect({ code, output }).toEqual({ code: 0, output: expect.stringMatching(/\d copied to deliveries/) });
      },
    };

    it.each(Object.keys(ways))('when it is replayed %s, then at most 3 attempts follow', async (way) => {
      const replay = ways[way] ?? fail;
      const type = `replayed.${Object.keys(ways).indexOf(way)}`;
      const hook = use.receiver.hook(always(500));
      const retryPolicy = { delays_s: [0.1, 0.1, 0.1, 0.1] };
      const endpointId = await use.client.createEndpoint(hook, { event_types: [type], retry_policy: retryPolicy });
      const id = await use.client.publish({ type, resource_id: 'r', data: { n: 1 } });
      await deadOnce(id, endpointId, 0);

      await replay(endpointId);
      await deadOnce(id, endpointId, 1);
      hook.script = ok;
      await replay(endpointId);
      await use.client.deliveryOnce(id, { status: 'delivered', replay: 2 });

      const numbers = hook.hits.map(({ headers }) => headers['webhook-attempt']);
      expect(numbers).toEqual(['1', '2', '3', '4', '5', '1', '2', '3', '1']);
      expect(new Set(hook.hits.map(({ headers, body }) => `${headers['webhook-id']} ${body}`)).size).toBe(1);
    });

    /** Waits until the delivery is dead in this life, in the API and in `dlq`. */
    async function deadOnce(eventId: string, endpointId: string, replay: number): Promise<void> {
      await use.client.deliveryOnce(eventId, { status: 'dead', replay });
      const waiting = () => use.client.deadLetters({ endpoint_id: endpointId });
      await until('its dead letter is listed', async () => (await waiting()).length === replay + 1);
      await until('its record is read', () => recordsOf(endpointId).length === replay + 1);
    }

    function recordsOf(endpointId: string): TailRecord[] {
      return use.client.dlq.records.filter(({ key }) => String(key).startsWith(endpointId));
    }

    async function copyLast(endpointId: string, topic: string): Promise<void> {
      const { key, value, headers } = recordsOf(endpointId).at(-1) ?? fail();
      await use.client.produce(topic, { key, value, headers });
    }
  });

  it('given preset quick and an endpoint that always fails, then retries after 4, 16 and 64 s, then dead', async () => {
    const { hits } = schedule.hook;
    await until('all four attempts are made', () => hits.length === 4, 100_000);

    const { attempts, dead_reason } = await use.client.deliveryOnce('evt-schedule', { status: 'dead' }, 4);
    expect(dead_reason).toBe('max_retries');
    expect(attempts.map(({ status_code }) => status_code)).toEqual([500, 500, 500, 500]);
    expectWaits(hits, QUICK_WAITS_MS);
    expect(hits.map(({ headers }) => headers['webhook-attempt'])).toEqual(['1', '2', '3', '4']);
    expectPlanned(attempts, QUICK_WAITS_MS);
  });

  it('when these tests are over, then the metrics have counted the attempts', async () => {
    const metric = (name: string, labels = {}) => use.client.metric('dispatcher', `posthorn_${name}`, labels);
    const answers = use.receiver.hits.map(({ status }) => status);

    expect(await metric('attempts_total')).toBe(answers.length);
    expect(await metric('attempts_total', { outcome: 'delivered' })).toBe(
      answers.filter((status) => status === 200).length,
    );
    expect(await metric('attempt_errors_total', { error: 'timeout' })).toBe(1);
    expect(await metric('retries_total', { tier: 'retry-64s' })).toBe(1);
    expect(await metric('retries_total', { tier: 'retry-16s' })).toBe(1);
    expect(await metric('dead_letters_total', { reason: 'unrecoverable' })).toBe(1);
    // Each way of replaying ends in a dead letter twice; the schedule ends in one, too.
    expect(await metric('dead_letters_total', { reason: 'max_retries' })).toBe(9);
    expect(await metric('replays_total')).toBeGreaterThanOrEqual(8);
    const returns = await use.client.metric('retry-scheduler', 'posthorn_scheduler_lateness_seconds_count');
    expect(returns).toBe(await metric('retries_total'));
  });

  async function expectDead(
    eventId: string,
    endpointId: string,
    { reason, statuses }: { reason: string; statuses: number[] },
  ) {
    const { attempts, dead_reason } = await use.client.deliveryOnce(eventId, { status: 'dead' }, statuses.length);
    expect({ reason: dead_reason, statuses: attempts.map(({ status_code }) => status_code) }).toEqual({
      reason,
      statuses,
    });
    const letters = () => use.client.deadLetters({ endpoint_id: endpointId });
    await until('its dead letter is listed', async () => (await letters()).length > 0);
    expect(await letters()).toMatchObject([{ reason, event_id: eventId }]);
  }
}

/** Checks the time from each response to the next request: never early, and not late. */
function expectWaits(hits: readonly Hit[], waitsMs: readonly number[]): void {
  const seen = hits.slice(1).map(({ at }, index) => at - (hits[index]?.answeredAt ?? 0));
  expect(seen.length).toBe(waitsMs.length);
  for (const [index, waitMs] of waitsMs.entries()) {
    expect(seen[index]).toBeGreaterThanOrEqual(waitMs);
    expect(seen[index]).toBeLessThanOrEqual(waitMs + LATE_LIMIT_MS);
  }
}

/** As {@link expectWaits}, from the history of the API. */
function expectPlanned(attempts: ShownDelivery['attempts'], waitsMs: readonly number[]): void {
  for (const [index, waitMs] of waitsMs.entries()) {
    const [before, after] = attempts.slice(index, index + 2);
    const waited = Date.parse(after?.at ?? '') - Date.parse(before?.at ?? '') - (before?.duration_ms ?? 0);
    expect(Math.round(waited)).toBeGreaterThanOrEqual(waitMs);
    expect(waited).toBeLessThanOrEqual(waitMs + LATE_LIMIT_MS);
  }
}

function fail(): never {
  throw new Error('there is none');
}
