import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeDelivery } from '#common/records/delivery-record.js';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';
import { type Answer, ControlApp } from '../support/control-app.js';
import type { RecordingConsumer } from '../support/kafka-port/recording-consumer.js';
import { attempt, deadLetter, deadLetterOf, deliveryOnce, type Made, newDelivery } from '../support/made-delivery.js';
import '../support/quiet.js';
import { freshDatabase, freshTopicPrefix, type TestDatabase } from '../support/servers.js';
import { until } from '../support/until.js';

const prefix = freshTopicPrefix();
let server: TestDatabase;
let control: ControlApp;
let deliveries: RecordingConsumer;

beforeAll(async () => {
  server = await freshDatabase();
  await start();
});
afterAll(async () => {
  await control.stop();
  await server.drop();
});

async function start(options: Partial<Parameters<typeof ControlApp.start>[0]> = {}): Promise<void> {
  control = await ControlApp.start({ databaseUrl: server.url, prefix, ...options });
  deliveries = await control.follow(DELIVERIES_TOPIC);
}

const newEndpoint = async (over: Record<string, unknown> = {}): Promise<string> => {
  const input = { url: 'http://127.0.0.1:9/', event_types: ['invoice.*'], tenant: 'acme', ...over };
  return (await control.post('/v1/endpoints', input)).body.id;
};
/** Records of these deliveries in `deliveries`, in order. */
const sent = (made: readonly Made[]) => {
  const ids = new Set(made.map(({ id }) => id));
  return deliveries.records.flatMap(({ headers, ...record }) => {
    const meta = decodeDelivery(headers.posthorn);
    return meta && ids.has(meta.deliveryId) ? [{ ...record, meta, headers }] : [];
  });
};
const jobOnce = async (id: string, state: string): Promise<Answer['body']> => {
  const read = async () => (await control.get(`/v1/recoveries/${id}`)).body;
  await until(`${id} is ${state}`, async () => (await read()).state === state);
  return read();
};
const recover = (id: string, body: Record<string, unknown>, key?: string) =>
  control.post(`/v1/endpoints/${id}/recover`, { since: new Date(Date.now() - 3_600_000).toISOString(), ...body }, key);
const dead = (made: Made) => [
  attempt(made, { attempt: 4, outcome: 'dead', dead_reason: 'max_retries', status_code: 500 }),
  deadLetter(made),
];
/** Events in the order of acceptance, one per millisecond. Every other pair has equal times; only offsets order it. */
async function manyDead(endpoint: string, count: number): Promise<Made[]> {
  const made: Made[] = [];
  for (let index = 0; index < count; index++) {
    const one = await newDelivery(control, endpoint);
    const acceptedAt = one.acceptedAt + 2 * Math.floor(index / 2);
    await control.database.query(
      'UPDATE events SET accepted_at = $1, source_offset = $2 WHERE tenant = $3 AND id = $4',
      [new Date(acceptedAt), 1_000 + index, 'acme', one.eventId],
    );
    made.push({ ...one, acceptedAt });
  }
  const shuffled = [...made].sort((a, b) => (a.id < b.id ? -1 : 1));
  await control.write(...shuffled.flatMap(dead));
  for (const one of made) await deliveryOnce(control, one.id, 'dead');
  return made;
}

describe('recovering an endpoint', () => {
  it('given dead, delivered, pending and missed events, then the dead and missed ones are sent, in order, once', async () => {
    const id = await newEndpoint();
    const other = await newEndpoint({ event_types: ['order.*'] });
    const first = await newDelivery(control, id);
    const delivered = await newDelivery(control, id);
    const pending = await newDelivery(control, id);
    const missed = { ...(await newDelivery(control, other)), endpoint: id };
    const otherType = await newDelivery(control, other, 'order.made');
    await control.write(...dead(first), attempt(delivered));
    await deliveryOnce(control, first.id, 'dead');
    await deliveryOnce(control, delivered.id, 'delivered');

    const started = await recover(id, {});
    expect(started).toMatchObject({
      status: 202,
      body: {
        id: expect.stringMatching(/^rec_/),
        kind: 'endpoint',
        endpoint_id: id,
        tenant: 'acme',
        filter: { only: 'failed' },
      },
    });
    expect(await jobOnce(started.body.id, 'done')).toMatchObject({ total: 2, sent: 2, skipped: 0, problem: null });

    const ours = () => deliveries.records.filter(({ key }) => String(key) === `${id}:inv-1`);
    await until('both are there', () => ours().length >= 2);
    expect(ours().map(({ headers }) => decodeDelivery(headers.posthorn))).toMatchObject([
      { eventId: first.eventId, replay: 1, attempt: 0, endpointId: id },
      { eventId: missed.eventId, replay: 0, attempt: 0, endpointId: id },
    ]);
    expect((await deadLetterOf(control, first)).replayed_at).not.toBeNull();
    expect((await control.get(`/v1/deliveries/${first.id}`)).body).toMatchObject({ status: 'pending', replay: 1 });
    expect((await control.get(`/v1/deliveries?event_id=${missed.eventId}&endpoint_id=${id}`)).body.items).toHaveLength(
      1,
    );
    expect(sent([pending, delivered, otherType])).toEqual([]);

    // All recovered deliveries are pending now.
    const again = await recover(id, {});
    expect(await jobOnce(again.body.id, 'done')).toMatchObject({ total: 0, sent: 0 });
    const all = await recover(id, { only: 'all' });
    expect(await jobOnce(all.body.id, 'done')).toMatchObject({ total: 1, sent: 1 });
    await until('it is there', () => sent([delivered]).length === 1);
    expect(sent([delivered])[0]?.meta).toMatchObject({ replay: 1 });
  });

  it('given control ends during a recovery, then the next control continues it, and each delivery is sent once, in order', async () => {
    const id = await newEndpoint();
    const made = await manyDead(id, 230);
    const { adminKey, secretKeys } = control;
    const again = { adminKey, secretKeys };
    await control.stop();
    await start({ ...again, env: { RECOVERY_PER_SECOND: '100' } });
    const { body } = await recover(id, {});
    await until('some are sent', async () => (await control.get(`/v1/recoveries/${body.id}`)).body.sent > 0);
    const seenBefore = sent(made).length;
    await control.stop();
    expect(seenBefore).toBeLessThan(230);

    await start(again);

    expect(await jobOnce(body.id, 'done')).toMatchObject({ total: 230, sent: 230, skipped: 0 });
    await until('all are there', () => sent(made).length >= 230);
    expect(sent(made).map(({ meta }) => meta.eventId)).toEqual(made.map(({ eventId }) => eventId));
  }, 90_000);

  it('given a rate, then the recovery does not exceed it', async () => {
    const id = await newEndpoint();
    await manyDead(id, 120);
    const { adminKey, secretKeys } = control;
    await control.stop();
    await start({ adminKey, secretKeys, env: { RECOVERY_PER_SECOND: '50' } });
    const startedAt = Date.now();
    const { body } = await recover(id, {});
    await jobOnce(body.id, 'done');
    expect(Date.now() - startedAt).toBeGreaterThan(1_900);
  }, 60_000);

  it('given a cancelled job, then it ends at its next page', async () => {
    const id = await newEndpoint();
    await manyDead(id, 120);
    const { body } = await recover(id, {});
    await until('some are sent', async () => (await control.get(`/v1/recoveries/${body.id}`)).body.sent > 0);
    expect(await control.post(`/v1/recoveries/${body.id}/cancel`)).toMatchObject({
      status: 200,
      body: { state: 'cancelled' },
    });
    expect((await control.post(`/v1/recoveries/${body.id}/cancel`)).status).toBe(409);
    expect((await control.get(`/v1/recoveries/${body.id}`)).body.sent).toBeLessThan(120);
  }, 60_000);

  it('given a disabled endpoint, then 409; given an endpoint that is deleted during the job, then the job fails with the reason', async () => {
    const id = await newEndpoint();
    await control.patch(`/v1/endpoints/${id}`, { enabled: false });
    expect(await recover(id, {})).toMatchObject({ status: 409 });
    await control.post(`/v1/endpoints/${id}/resume`);
    await control.database.query(
      `INSERT INTO recoveries (id, kind, tenant, endpoint_id, filter, state)
       VALUES ('rec_gone', 'endpoint', 'acme', 'ep_gone', '{"since": "2026-01-01T00:00:00Z", "only": "all"}', 'counting')`,
    );
    expect(await jobOnce('rec_gone', 'failed')).toMatchObject({ problem: 'the endpoint was deleted' });
  });

  it.each([
    ['since', { since: 'yesterday' }],
    ['since', { since: '9999-01-01T00:00:00Z' }],
    ['since', { since: '9998-01-01T00:00:00Z', until: '9999-01-01T00:00:00Z' }],
    ['until', { since: '2026-01-02T00:00:00Z', until: '2026-01-01T00:00:00Z' }],
    ['only', { only: 'some' }],
  ])('given a %s that cannot be, then 400', async (field, over) => {
    expect(await recover(await newEndpoint(), over)).toMatchObject({ status: 400, body: { errors: [{ field }] } });
  });

  it("given another tenant's key, then endpoint and job are not found", async () => {
    const id = await newEndpoint();
    const { body } = await recover(id, {});
    const other = await control.keyFor('other');
    expect((await recover(id, {}, other)).status).toBe(404);
    expect((await control.get(`/v1/recoveries/${body.id}`, other)).status).toBe(404);
    expect((await control.post(`/v1/recoveries/${body.id}/cancel`, undefined, other)).status).toBe(404);
    expect((await control.get('/v1/recoveries', other)).body.items).toEqual([]);
    const own = await control.keyFor('acme');
    expect((await control.get(`/v1/recoveries?endpoint_id=${id}`, own)).body.items).toMatchObject([{ id: body.id }]);
  });
});

describe('replaying dead letters in bulk', () => {
  it('given a since in the future, then 400', async () => {
    const answer = await control.post('/v1/dead-letters/replay', { since: '9999-01-01T00:00:00Z' });
    expect(answer).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'since', message: 'must be in the past' }] },
    });
  });

  it('given a filter, then matching dead letters are replayed unchanged, in order of acceptance, once', async () => {
    const id = await newEndpoint();
    const made = await manyDead(id, 6);
    const [expired] = [await newDelivery(control, id)];
    // Two dead letters of one life: a dispatcher was killed between produce and commit.
    await control.write(deadLetter(expired, { reason: 'expired' }), deadLetter(expired, { reason: 'expired' }));
    await deliveryOnce(control, expired.id, 'dead');
    const byReason = await control.post('/v1/dead-letters/replay', { endpoint_id: id, reason: 'max_retries' });
    expect(byReason).toMatchObject({ status: 202, body: { kind: 'dead_letters', tenant: null, endpoint_id: id } });
    expect(await jobOnce(byReason.body.id, 'done')).toMatchObject({ total: 6, sent: 6 });
    await until('they are back', () => sent(made).length >= 6);
    expect(sent(made).map(({ meta }) => meta.eventId)).toEqual(made.map(({ eventId }) => eventId));
    expect(sent(made)[0]?.headers['posthorn-dead-reason']?.toString()).toBe('max_retries');
    expect(sent([expired])).toEqual([]);

    const rest = await control.post('/v1/dead-letters/replay', { endpoint_id: id, type: 'invoice.paid' });
    expect(await jobOnce(rest.body.id, 'done')).toMatchObject({ total: 2, sent: 1, skipped: 1 });
    await until('it is back', () => sent([expired]).length > 0);
    expect(sent([expired])).toHaveLength(1);
    expect((await control.get(`/v1/dead-letters?endpoint_id=${id}&replayed=false`)).body.items).toEqual([]);
  });

  it("given another tenant's key, then its job replays no dead letter of this tenant", async () => {
    const id = await newEndpoint();
    const made = await manyDead(id, 1);
    const other = await control.keyFor('other');
    const { body } = await control.post('/v1/dead-letters/replay', { endpoint_id: id }, other);
    expect(await jobOnce(body.id, 'done')).toMatchObject({ tenant: 'other', total: 0, sent: 0 });
    expect(sent(made)).toEqual([]);
    expect((await control.post('/v1/dead-letters/replay', { tenant: 'acme' }, other)).status).toBe(403);
  });
});
