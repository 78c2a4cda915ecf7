import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startAgain } from '../support/app-processes.js';
import { Cluster } from '../support/cluster.js';
import type { OrderedTraffic } from '../support/ordered-traffic.js';
import { type Hook, ok, Receiver } from '../support/receiver.js';
import { until } from '../support/until.js';
import { useTraffic } from '../support/use-traffic.js';

/*
 * Holds of an endpoint and operators' commands, with real processes: a breaker that survives a kill of all dispatchers,
 * pause and resume, the skip of a head, and a recovery that survives its process.
 */

/** One attempt per delivery: dead at the first failure. */
const NO_RETRIES = { retry_policy: { delays_s: [] } };
const THRESHOLD = 25;

interface Health {
  breaker: { state: string; openings: number; consecutive_dead: number };
  parked: { deliveries: number };
}
interface Job {
  id: string;
  state: string;
  total: number;
  sent: number;
  skipped: number;
}
interface Lane {
  id: string;
  reason: string;
  parked: number;
  head: { delivery_id: string; attempt: number } | null;
}

let cluster: Cluster;
let receiver: Receiver;
const traffic = useTraffic(() => cluster);

beforeAll(async () => {
  receiver = await Receiver.start();
  cluster = await Cluster.start({ RECOVERY_PER_SECOND: '100' });
}, 180_000);

afterAll(async () => {
  await cluster?.stop();
  await receiver.stop();
}, 60_000);

/** An endpoint that receives the operational events about others. */
async function listener(): Promise<Hook> {
  const hook = receiver.hook();
  const body = { url: hook.url, event_types: ['endpoint.*', 'delivery.dead'] };
  const { secret } = await cluster.call<{ secret: string }>('control', '/v1/endpoints', { body });
  hook.secret = secret;
  return hook;
}

const health = (id: string) => cluster.call<Health>('control', `/v1/endpoints/${id}/health`);
const onceBreaker = (id: string, state: string) =>
  until(`the breaker is ${state}`, async () => (await health(id)).breaker.state === state, 30_000);
const lanesOf = async (id: string) =>
  (await cluster.call<{ items: Lane[] }>('control', `/v1/lanes?endpoint_id=${id}&limit=200`)).items;
const deadOf = async (id: string) =>
  (await cluster.call<{ total: number }>('control', `/v1/dead-letters/stats?endpoint_id=${id}`)).total;
const post = <Body>(path: string, body: unknown = {}) => cluster.call<Body>('control', path, { method: 'POST', body });

/** Types of the operational events about an endpoint that a hook received, each event once. */
function typesAbout(hook: Hook, endpointId: string): string[] {
  const events = new Map(hook.hits.map(({ event }) => [event.id, event]));
  const about = (data: unknown) => (data as { endpoint_id?: string } | undefined)?.endpoint_id;
  return [...events.values()].filter(({ data }) => about(data) === endpointId).map(({ type }) => type);
}

describe('the breaker', () => {
  it('given an endpoint that is down, then the breaker opens, survives a kill, probes one at a time, and drains in order after recovery', async () => {
    const told = await listener();
    const breaker = { threshold: THRESHOLD, cooldown_s: 4, max_cooldown_s: 5 };
    // The endpoint answers slowly, so that the breaker opens before all deliveries are attempted.
    const seen = await traffic({ resources: 40, rounds: 10, answerMs: 50, endpoint: { ...NO_RETRIES, breaker } });
    const id = seen.endpointId;
    seen.isDown = true;
    await seen.publish();
    await onceBreaker(id, 'open');
    await until('the rest is parked', async () => (await health(id)).parked.deliveries + (await deadOf(id)) === 400);
    const deadAtOnce = await deadOf(id);
    expect(deadAtOnce).toBeGreaterThanOrEqual(THRESHOLD);
    expect(deadAtOnce).toBeLessThan(THRESHOLD + 200);
    const lanes = await lanesOf(id);
    expect(new Set(lanes.map(({ reason }) => reason))).toEqual(new Set(['breaker']));
    expect(lanes.reduce((sum, { parked }) => sum + parked, 0)).toBe(400 - deadAtOnce);

    // Kills every process that has the breaker in memory; only the database keeps its state.
    const [control, dispatcher] = [cluster.app('control'), cluster.app('dispatcher')];
    await Promise.all([control.server.kill(), dispatcher.server.kill()]);
    await Promise.all([startAgain(control), startAgain(dispatcher)]);
    expect((await health(id)).breaker.state).not.toBe('closed');

    await until('two probes have failed', async () => (await health(id)).breaker.openings >= 3, 60_000);
    seen.isDown = false;
    await onceBreaker(id, 'closed');
    await until('the lanes are drained', async () => (await health(id)).parked.deliveries === 0);
    const died = await deadOf(id);
    await until('all that is not dead was accepted', () => seen.accepted.size === 400 - died);
    // Each failed probe was one delivery. The dispatchers sent no other request during the hold.
    expect(died - deadAtOnce).toBeGreaterThanOrEqual(2);
    expect(died - deadAtOnce).toBeLessThanOrEqual(5);
    expect(seen.disorder).toBe(0);
    await until('the recovery is published', () => typesAbout(told, id).includes('endpoint.recovered'));
    const types = typesAbout(told, id);
    expect(types.filter((type) => type !== 'delivery.dead')).toEqual(['endpoint.disabled', 'endpoint.recovered']);
    await until('every dead delivery is published', () => typesAbout(told, id).length === died + 2);
  }, 240_000);

  it('given no parked delivery at the end of the cool-down, then the next delivery is the probe', async () => {
    const breaker = { threshold: 3, cooldown_s: 1 };
    const seen = await traffic({ resources: 3, rounds: 1, endpoint: { ...NO_RETRIES, breaker } });
    const id = seen.endpointId;
    seen.isDown = true;
    await seen.publish();
    await onceBreaker(id, 'half_open');
    seen.isDown = false;
    expect(await health(id)).toMatchObject({ parked: { deliveries: 0 } });
    await publishTo(seen, 'probe');
    await onceBreaker(id, 'closed');
    expect([...seen.accepted.keys()]).toEqual(['probe']);
  }, 60_000);

  it('given the mode discard, then deliveries during the hold are dead, and one success closes the breaker', async () => {
    const breaker = { threshold: 3, cooldown_s: 3, mode: 'discard' };
    const seen = await traffic({ resources: 5, rounds: 1, endpoint: { ...NO_RETRIES, breaker } });
    const id = seen.endpointId;
    seen.isDown = true;
    await seen.publish();
    await onceBreaker(id, 'open');
    seen.isDown = false;
    await publishTo(seen, 'while-open');
    const expired = () =>
      cluster.call<{ items: unknown[] }>('control', `/v1/dead-letters?endpoint_id=${id}&reason=expired`);
    await until('the delivery is dead', async () => (await expired()).items.length === 1);
    await onceBreaker(id, 'half_open');
    await publishTo(seen, 'half-open');
    await onceBreaker(id, 'closed');
    expect(seen.accepted.has('half-open')).toBe(true);
  }, 60_000);
});

async function publishTo(seen: OrderedTraffic, eventId: string): Promise<void> {
  const type = seen.eventType;
  const event = { id: eventId, type, resource_id: eventId, data: { number: 0 } };
  await cluster.call('ingest', '/v1/events', { body: event });
}

async function deadLettersOf(endpointId: string): Promise<{ id: string; reason: string; detail: string }[]> {
  const path = `/v1/dead-letters?endpoint_id=${endpointId}`;
  return (await cluster.call<{ items: { id: string; reason: string; detail: string }[] }>('control', path)).items;
}

describe('an operator', () => {
  it('given a pause, then deliveries are parked; given a resume, then the lanes drain in order', async () => {
    const seen = await traffic({ resources: 20, rounds: 10 });
    const id = seen.endpointId;
    await post(`/v1/endpoints/${id}/pause`);
    // A dispatcher reads each change within half a second.
    await delay(600);
    await seen.publish();
    await until('all is parked', async () => (await health(id)).parked.deliveries === 200);
    expect(seen.requests).toBe(0);
    expect(new Set((await lanesOf(id)).map(({ reason }) => reason))).toEqual(new Set(['paused']));
    const { items } = await cluster.call<{ items: { status: string }[] }>(
      'control',
      `/v1/deliveries?endpoint_id=${id}`,
    );
    expect(new Set(items.map(({ status }) => status))).toEqual(new Set(['parked']));

    await post(`/v1/endpoints/${id}/resume`);

    await seen.complete();
    expect({ disorder: seen.disorder, repeats: seen.repeats }).toEqual({ disorder: 0, repeats: 0 });
    await until('nothing is parked', async () => (await lanesOf(id)).length === 0);
    expect(await cluster.metric(cluster.app('dispatcher'), 'posthorn_drained_deliveries_total')).toBeGreaterThan(0);
  }, 60_000);

  it('given a paused lane, when its first delivery is skipped, then that delivery is dead, and a resume sends the others', async () => {
    const seen = await traffic({ resources: 1, rounds: 3 });
    const id = seen.endpointId;
    await post(`/v1/endpoints/${id}/pause`);
    await delay(600);
    await seen.publish();
    await until('all is parked', async () => (await lanesOf(id))[0]?.parked === 3);
    const [lane] = await lanesOf(id);
    await post(`/v1/lanes/${lane?.id}/skip`);
    await until('one is parked no more', async () => (await lanesOf(id))[0]?.parked === 2);
    expect(seen.requests).toBe(0);

    await post(`/v1/endpoints/${id}/resume`);

    await until('the others are accepted', () => seen.accepted.size === 2);
    expect([...seen.accepted.keys()].map((eventId) => eventId.split('-').at(-1))).toEqual(['1', '2']);
    await until('the first is dead', async () => (await deadLettersOf(id)).length === 1);
    expect(await deadLettersOf(id)).toMatchObject([{ reason: 'unrecoverable', detail: 'skipped by an operator' }]);
  }, 60_000);

  it('given a head that would wait for ten minutes, when it is skipped, then its followers are delivered', async () => {
    const seen = await traffic({ resources: 1, rounds: 3, endpoint: { retry_policy: { delays_s: [600] } } });
    const id = seen.endpointId;
    seen.isDown = true;
    await seen.publish();
    await until('two wait behind the head', async () => {
      const [lane] = await lanesOf(id);
      return lane?.parked === 2 && lane.head !== null;
    });
    seen.isDown = false;
    const [lane] = await lanesOf(id);
    await post(`/v1/lanes/${lane?.id}/skip`);

    await until('the others are accepted', () => seen.accepted.size === 2);
    expect([...seen.accepted.keys()].map((eventId) => eventId.split('-').at(-1))).toEqual(['1', '2']);
    await until('the head is dead', async () => (await deadLettersOf(id)).length === 1);
    const [letter] = await deadLettersOf(id);
    expect(letter).toMatchObject({ reason: 'unrecoverable', detail: 'skipped by an operator' });
    await post(`/v1/dead-letters/${letter?.id}/replay`);
    await until('its replay is accepted', () => seen.accepted.size === 3);
  }, 60_000);
});

describe('an endpoint that hangs', () => {
  it('given more large bodies than fit into memory, then other endpoints get their events, and the endpoint its own after recovery', async () => {
    const [hanging, healthy] = [receiver.hook(() => 'hang'), receiver.hook()];
    // The policy outlasts the publishing, so that no delivery dies before the endpoint recovers.
    const form = { timeout_ms: 15_000, retry_policy: { delays_s: Array.from({ length: 20 }, () => 1) } };
    for (const [hook, type] of [[hanging, 'large.body'] as const, [healthy, 'small.body'] as const]) {
      const body = { ...form, url: hook.url, event_types: [type] };
      hook.secret = (await cluster.call<{ secret: string }>('control', '/v1/endpoints', { body })).secret;
    }
    const publish = (type: string, count: number, text: string) =>
      Promise.all(
        Array.from({ length: count }, (_, index) =>
          cluster.call('ingest', '/v1/events', { body: { type, resource_id: `r${index}`, data: { text } } }),
        ),
      );
    for (let sent = 0; sent < 250; sent += 25) await publish('large.body', 25, 'x'.repeat(200_000));
    await until('it hangs', () => hanging.open > 0);

    await publish('small.body', 50, '');

    await until('the other has all of its own', () => healthy.accepted.size === 50, 10_000);
    hanging.script = ok;
    await until('it has all, too', () => hanging.accepted.size === 250, 60_000);
    expect(receiver.forged).toEqual([]);
  }, 120_000);
});

describe('a recovery', () => {
  it('given control killed during a recovery, then every dead delivery is sent again, in order', async () => {
    const breaker = { threshold: 10_000 };
    const seen = await traffic({ resources: 40, rounds: 10, endpoint: { ...NO_RETRIES, breaker } });
    const id = seen.endpointId;
    const since = new Date().toISOString();
    seen.isDown = true;
    await seen.publish();
    await until('all are dead', async () => (await deadOf(id)) === 400, 60_000);
    seen.isDown = false;
    const job = await post<Job>(`/v1/endpoints/${id}/recover`, { since });
    const progress = () => cluster.call<Job>('control', `/v1/recoveries/${job.id}`);
    await until('the recovery has begun', async () => (await progress()).sent >= 100);
    const control = cluster.app('control');
    await control.server.kill();
    await startAgain(control);
    expect((await progress()).state).toBe('sending');

    await until('the recovery is done', async () => (await progress()).state === 'done', 60_000);
    expect(await progress()).toMatchObject({ total: 400, sent: 400, skipped: 0 });
    await seen.complete();
    expect(seen.disorder).toBe(0);
    // The kill may fall between the produce of a page and its acknowledgement.
    expect(seen.repeats).toBeLessThanOrEqual(50);
  }, 120_000);
});
