import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { EndpointRecord } from '#common/records/endpoint-record.js';
import { ABOUT_HEADER } from '#common/records/operational-event.js';
import type { InRecord } from '#common/records/record.js';
import { ENDPOINTS_TOPIC, INGEST_TOPIC } from '#common/records/topics.js';
import { type Answer, ControlApp } from '../support/control-app.js';
import type { RecordingConsumer } from '../support/kafka-port/recording-consumer.js';
import { attempt, deadLetter, type Made, newDelivery } from '../support/made-delivery.js';
import '../support/quiet.js';
import { freshDatabase, freshTopicPrefix, type TestDatabase } from '../support/servers.js';
import { until } from '../support/until.js';

const prefix = freshTopicPrefix();
let server: TestDatabase;
let control: ControlApp;
let published: Map<string, unknown>;
let told: RecordingConsumer;

beforeAll(async () => {
  server = await freshDatabase();
  control = await ControlApp.start({ databaseUrl: server.url, prefix });
  published = await control.table(ENDPOINTS_TOPIC);
  told = await control.follow(INGEST_TOPIC);
});
afterAll(async () => {
  await control.stop();
  await server.drop();
});

const newEndpoint = async (over: Record<string, unknown> = {}): Promise<string> => {
  const input = { url: 'http://127.0.0.1:9/', event_types: ['*'], tenant: 'acme', ...over };
  return (await control.post('/v1/endpoints', input)).body.id;
};
const healthOf = async (id: string): Promise<Answer['body']> => (await control.get(`/v1/endpoints/${id}/health`)).body;
const record = (id: string) => published.get(id) as EndpointRecord | undefined;
const onceBreaker = (id: string, state: string) =>
  until(`the breaker of ${id} is ${state} for all services`, () => record(id)?.breaker === state);
const toldAbout = (id: string): { type: string; data: Record<string, unknown>; tenant: string }[] =>
  told.records
    .filter(({ headers }: InRecord) => headers[ABOUT_HEADER]?.toString() === id)
    .map(({ value }) => JSON.parse(String(value)));
const typesAbout = (id: string) => toldAbout(id).map(({ type }) => type);

/** Makes this number of deliveries, each dead after its only attempt. */
async function die(endpoint: string, count: number): Promise<Made[]> {
  const made: Made[] = [];
  for (let index = 0; index < count; index++) made.push(await newDelivery(control, endpoint));
  await control.write(...made.map((one) => dead(one)));
  return made;
}
const dead = (made: Made) => attempt(made, { outcome: 'dead', dead_reason: 'max_retries', status_code: 500 });

describe('settings', () => {
  it('given no settings, then an endpoint has the defaults, and no hold', async () => {
    const id = await newEndpoint();
    const settings = {
      max_per_second: null,
      max_parked_age_s: 604_800,
      max_parked: 1_000_000,
      paused_at: null,
      breaker: { state: 'closed', mode: 'automatic', threshold: 25, cooldown_s: 60, max_cooldown_s: 3_600 },
    };
    expect((await control.get(`/v1/endpoints/${id}`)).body).toMatchObject(settings);
    await until('the change is published', () => record(id) !== undefined);
    expect(record(id)).toMatchObject({
      paused: false,
      breaker: 'closed',
      breaker_mode: 'automatic',
      max_parked: 1_000_000,
    });
  });

  it('given settings, then they are stored, changed one by one, and announced', async () => {
    const id = await newEndpoint({ max_per_second: 2.5, breaker: { mode: 'manual', threshold: 3 }, max_parked: 10 });
    const { body } = await control.patch(`/v1/endpoints/${id}`, { breaker: { mode: 'discard' }, max_per_second: null });
    expect(body).toMatchObject({ max_per_second: null, breaker: { mode: 'discard', threshold: 3, cooldown_s: 60 } });
    await until('the change is published', () => record(id)?.breaker_mode === 'discard');
    expect(record(id)).toMatchObject({ max_per_second: null, max_parked: 10, max_parked_age_s: 604_800 });
  });

  it.each([
    ['breaker.mode', { breaker: { mode: 'sometimes' } }],
    ['breaker.threshold', { breaker: { threshold: 0 } }],
    ['breaker.max_cooldown_s', { breaker: { cooldown_s: 100, max_cooldown_s: 50 } }],
    ['max_per_second', { max_per_second: 0 }],
    ['max_parked', { max_parked: 0.5 }],
  ])('given a %s that cannot be, then 400 names it', async (field, over) => {
    const input = { url: 'http://127.0.0.1:9/', event_types: ['*'], ...over };
    expect(await control.post('/v1/endpoints', input)).toMatchObject({
      status: 400,
      body: { code: 'BODY_INVALID', errors: [{ field }] },
    });
  });
});

describe('the breaker', () => {
  it('given 24 dead in a row, one delivered, and 25 dead, then the breaker opens with the last one', async () => {
    const id = await newEndpoint();
    await die(id, 24);
    await control.write(attempt(await newDelivery(control, id)));
    await die(id, 24);
    await until('49 attempts are counted', async () => (await healthOf(id)).last_hour.attempts === 49);
    expect(await healthOf(id)).toMatchObject({
      breaker: { state: 'closed', consecutive_dead: 24, threshold: 25, openings: 0, opened_at: null },
      last_hour: { attempts: 49, delivered: 1, success_rate: 1 / 49, mean_duration_ms: 12 },
    });
    expect(record(id)?.breaker).toBe('closed');

    await die(id, 1);

    await onceBreaker(id, 'open');
    const { breaker, last_failure_at, last_success_at } = await healthOf(id);
    expect(breaker).toMatchObject({ state: 'open', consecutive_dead: 25, openings: 1 });
    expect(Date.parse(breaker.next_probe_at) - Date.parse(breaker.opened_at)).toBe(60_000);
    expect(last_failure_at > last_success_at).toBe(true);
    await until('the operational event is published', () => typesAbout(id).length > 0);
    expect(toldAbout(id)).toMatchObject([
      {
        type: 'endpoint.disabled',
        tenant: 'acme',
        resource_id: id,
        data: { endpoint_id: id, reason: 'breaker', consecutive_dead: 25 },
      },
    ]);
    expect((await control.get(`/v1/endpoints/${id}`)).body).toMatchObject({
      status: 'active',
      breaker: { state: 'open' },
    });
  });

  it('given the same attempt twice, and failures with a retry, then the breaker counts neither', async () => {
    const id = await newEndpoint({ breaker: { threshold: 3 } });
    const [one] = await die(id, 1);
    if (one === undefined) throw new Error('no delivery was made');
    await control.write(dead(one), dead(one), deadLetter(one));
    const other = await newDelivery(control, id);
    await control.write(...[1, 2, 3, 4].map((number) => attempt(other, { attempt: number, outcome: 'retry' })));
    await die(id, 1);
    await until('all is counted', async () => (await healthOf(id)).last_hour.attempts === 6);
    expect((await healthOf(id)).breaker).toMatchObject({ state: 'closed', consecutive_dead: 2 });
  });

  it('given the end of the cool-down, then a failed probe doubles it, and a successful one closes the breaker', async () => {
    const id = await newEndpoint({ breaker: { threshold: 2, cooldown_s: 1 } });
    await die(id, 2);
    await onceBreaker(id, 'open');
    await onceBreaker(id, 'half_open');
    const probed = await newDelivery(control, id);
    await control.write(attempt(probed, { outcome: 'retry', status_code: 503 }));
    await onceBreaker(id, 'open');
    const { breaker } = await healthOf(id);
    expect(breaker).toMatchObject({ state: 'open', openings: 2 });
    expect(Date.parse(breaker.next_probe_at) - Date.parse(breaker.opened_at)).toBe(2_000);
    await onceBreaker(id, 'half_open');
    await control.write(attempt(probed, { attempt: 2 }));
    await onceBreaker(id, 'closed');
    expect((await healthOf(id)).breaker).toMatchObject({
      state: 'closed',
      consecutive_dead: 0,
      openings: 0,
      opened_at: null,
    });
    await until('the operational event is published', () => typesAbout(id).includes('endpoint.recovered'));
    // A failed probe causes no operational event.
    expect(typesAbout(id)).toEqual(['endpoint.disabled', 'endpoint.recovered']);
  });

  it('given a probe that repeats an earlier attempt, then its outcome decides the breaker once, and is not counted again', async () => {
    const id = await newEndpoint({ breaker: { threshold: 1, cooldown_s: 1 } });
    const [probed] = await die(id, 1);
    if (probed === undefined) throw new Error('no delivery was made');
    await onceBreaker(id, 'half_open');
    const failed = attempt(probed, { outcome: 'dead', dead_reason: 'max_retries', status_code: 500 });
    await control.write(failed, failed);
    await onceBreaker(id, 'open');
    expect((await healthOf(id)).breaker).toMatchObject({ state: 'open', openings: 2 });
    await onceBreaker(id, 'half_open');
    await control.write(attempt(probed));
    await onceBreaker(id, 'closed');
    expect((await healthOf(id)).last_hour).toMatchObject({ attempts: 1, delivered: 0 });
  });

  it('given control stops while the breaker is open, then the next control ends the cool-down', async () => {
    const id = await newEndpoint({ breaker: { threshold: 1, cooldown_s: 2 } });
    await die(id, 1);
    await onceBreaker(id, 'open');
    const { adminKey, secretKeys } = control;
    await control.stop();

    control = await ControlApp.start({ databaseUrl: server.url, prefix, adminKey, secretKeys });
    published = await control.table(ENDPOINTS_TOPIC);
    told = await control.follow(INGEST_TOPIC);

    await onceBreaker(id, 'half_open');
    expect((await healthOf(id)).breaker).toMatchObject({ state: 'half_open', openings: 1 });
  });

  it('given the manual mode, then only an operator closes the breaker', async () => {
    const id = await newEndpoint({ breaker: { threshold: 1, cooldown_s: 1, mode: 'manual' } });
    await die(id, 1);
    await onceBreaker(id, 'open');
    expect((await healthOf(id)).breaker).toMatchObject({ state: 'open', next_probe_at: null });
    expect(await control.post(`/v1/endpoints/${id}/resume`)).toMatchObject({
      status: 200,
      body: { breaker: { state: 'closed' } },
    });
    await onceBreaker(id, 'closed');
    await until('the operational event is published', () => typesAbout(id).includes('endpoint.recovered'));
  });

  it('given a change of mode while the breaker is open, then the new mode applies at once', async () => {
    const id = await newEndpoint({ breaker: { threshold: 1, cooldown_s: 1, mode: 'manual' } });
    await die(id, 1);
    await onceBreaker(id, 'open');
    await control.patch(`/v1/endpoints/${id}`, { breaker: { mode: 'automatic' } });
    await onceBreaker(id, 'half_open');
    await control.patch(`/v1/endpoints/${id}`, { breaker: { mode: 'manual' } });
    await onceBreaker(id, 'open');
  });
});

describe('an operator', () => {
  it('given a pause and a resume, then both are announced, and each may be repeated', async () => {
    const id = await newEndpoint();
    const paused = await control.post(`/v1/endpoints/${id}/pause`);
    expect(paused).toMatchObject({ status: 200, body: { paused_at: expect.any(String), status: 'active' } });
    expect((await control.post(`/v1/endpoints/${id}/pause`)).body).toEqual(paused.body);
    await until('the change is published', () => record(id)?.paused === true);
    expect(await healthOf(id)).toMatchObject({ paused_at: paused.body.paused_at });
    expect((await control.post(`/v1/endpoints/${id}/resume`)).body).toMatchObject({ paused_at: null });
    await until('the change is published', () => record(id)?.paused === false);
    expect(await control.post(`/v1/endpoints/${id}/resume`)).toMatchObject({ status: 200, body: { paused_at: null } });
  });

  it('given a 410, then the endpoint is disabled and an operational event published; a resume enables it', async () => {
    const id = await newEndpoint();
    const gone = { status_code: 410, outcome: 'dead', dead_reason: 'invalid_endpoint', gone: true } as const;
    await control.write(attempt(await newDelivery(control, id), gone));
    await until('the operational event is published', () => typesAbout(id).length > 0);
    expect(toldAbout(id)).toMatchObject([{ type: 'endpoint.disabled', data: { reason: 'gone' } }]);
    expect(record(id)).toMatchObject({ enabled: false });
    expect((await control.post(`/v1/endpoints/${id}/resume`)).body).toMatchObject({
      status: 'active',
      disabled_reason: null,
    });
    await until('the operational event is published', () => typesAbout(id).includes('endpoint.recovered'));
  });

  it("given another tenant's key, then the endpoint is not found", async () => {
    const id = await newEndpoint();
    const other = await control.keyFor('other');
    const answers = await Promise.all([
      control.get(`/v1/endpoints/${id}/health`, other),
      control.post(`/v1/endpoints/${id}/pause`, undefined, other),
      control.post(`/v1/endpoints/${id}/resume`, undefined, other),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404]);
    const reader = await control.keyFor('acme', ['read']);
    expect((await control.post(`/v1/endpoints/${id}/pause`, undefined, reader)).status).toBe(403);
    expect((await control.get(`/v1/endpoints/${id}/health`, reader)).status).toBe(200);
  });
});

describe('delivery.dead', () => {
  it('given a subscriber, then it gets events about dead deliveries of others, except those of operational events', async () => {
    const id = await newEndpoint();
    const before = await newDelivery(control, id);
    await control.write(deadLetter(before));
    await until(
      'the delivery is dead',
      async () => (await control.get(`/v1/deliveries/${before.id}`)).body.status === 'dead',
    );
    const subscriber = await newEndpoint({ event_types: ['delivery.*'] });
    const made = await newDelivery(control, id);
    const own = await newDelivery(control, subscriber);
    const news = await newDelivery(control, id, 'endpoint.disabled');
    await control.write(deadLetter(own), deadLetter(news), deadLetter(made), deadLetter(made));
    await until('the change is published', () => typesAbout(id).length >= 2);
    const ids = new Set(toldAbout(id).map((event) => (event as unknown as { id: string }).id));
    expect([...ids]).toEqual([`${made.id}.dead.0`]);
    expect(toldAbout(id)[0]).toMatchObject({
      type: 'delivery.dead',
      data: {
        delivery_id: made.id,
        event_id: made.eventId,
        endpoint_id: id,
        reason: 'max_retries',
        last_status_code: 500,
      },
    });
    expect(typesAbout(subscriber)).toEqual([]);
  });
});
