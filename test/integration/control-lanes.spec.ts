import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { LaneCommands } from '#common/postgres/lane-commands.js';
import { forgetLaneEvidence } from '#common/postgres/lane-evidence.js';
import { LaneStore, type LaneWrite, type LogEpoch } from '#common/postgres/lane-store.js';
import { decodeDelivery, encodeDelivery } from '#common/records/delivery-record.js';
import * as metrics from '../../apps/control/src/lanes/metrics.js';
import { ParkingGauges } from '../../apps/control/src/lanes/parking-gauges.js';
import { type Answer, ControlApp } from '../support/control-app.js';
import { attempt, deliveryOnce, type Made, newDelivery } from '../support/made-delivery.js';
import '../support/quiet.js';

const LOG = 'deliveries/1';
let control: ControlApp;
let store: LaneStore;
let epoch: LogEpoch;

beforeAll(async () => {
  control = await ControlApp.start();
  store = new LaneStore(control.database);
  epoch = await store.raiseEpoch(await store.epochOf(LOG));
});
afterAll(() => control.stop());

const newEndpoint = async (): Promise<string> =>
  (await control.post('/v1/endpoints', { url: 'http://127.0.0.1:9/', event_types: ['*'], tenant: 'acme' })).body.id;
const lanesOf = async (id: string, query = ''): Promise<Answer['body']> =>
  (await control.get(`/v1/lanes?endpoint_id=${id}${query}`)).body;

/** Parks a delivery, as the dispatcher does. */
function parked(
  made: Made,
  place: number,
  over: { lane?: string; reason?: string; attempt?: number; replay?: number } = {},
) {
  const { attempt: attempts = 0, replay = 0 } = over;
  return {
    lane: over.lane ?? made.lane,
    place,
    endpointId: made.endpoint,
    deliveryId: made.id,
    attempt: attempts,
    header: encodeDelivery({
      deliveryId: made.id,
      eventId: made.eventId,
      endpointId: made.endpoint,
      tenant: 'acme',
      eventType: made.type,
      attempt: attempts,
      replay,
      acceptedAt: made.acceptedAt,
      returned: false,
      place,
      dueAt: undefined,
      tierUntil: undefined,
    }),
    extraHeaders: null,
    body: Buffer.from(`body of ${made.id}`),
    reason: over.reason ?? 'head',
    parkedAt: Date.now() - 5_000,
  };
}
const park = (records: readonly ReturnType<typeof parked>[]) =>
  store.write(
    epoch,
    records.map((record): LaneWrite => ({ lane: record.lane, endpointId: record.endpointId, park: [record] })),
  );
const nameHead = (made: Made, place: number, dueAt = Date.now() + 60_000) =>
  store.write(epoch, [
    { lane: made.lane, endpointId: made.endpoint, row: { place, attempt: 1, deliveryId: made.id, dueAt } },
  ]);

describe('lanes', () => {
  it('given a head in a tier and two followers, then the lane shows all three', async () => {
    const id = await newEndpoint();
    const [head, second, third] = [
      await newDelivery(control, id),
      await newDelivery(control, id),
      await newDelivery(control, id),
    ];
    const dueAt = Date.now() + 60_000;
    await nameHead(head, 10, dueAt);
    await park([parked(third, 12), parked(second, 11)]);
    const { items, next_cursor } = await lanesOf(id);
    expect(next_cursor).toBeNull();
    expect(items).toEqual([
      {
        id: expect.stringMatching(/^[A-Za-z0-9_-]+$/),
        endpoint_id: id,
        lane: head.lane,
        reason: 'head',
        head: { delivery_id: head.id, attempt: 1, next_attempt_at: new Date(dueAt).toISOString() },
        parked: 2,
        first_parked_delivery_id: second.id,
        oldest_parked_at: expect.any(String),
        oldest_parked_age_s: expect.any(Number),
      },
    ]);
    expect(items[0].oldest_parked_age_s).toBeGreaterThanOrEqual(5);
    expect((await control.get(`/v1/endpoints/${id}/health`)).body.parked).toMatchObject({ deliveries: 2 });
  });

  it('given parked lanes, then each shows its present hold reason, in pages that have each lane once', async () => {
    const id = await newEndpoint();
    const made = await newDelivery(control, id);
    const lanes = Array.from({ length: 7 }, (_, index) => `${id}:é-${index}`);
    await park(lanes.map((lane, index) => parked(made, 20 + index, { lane, reason: index === 0 ? 'slow' : 'paused' })));
    const reasons = async () => (await lanesOf(id)).items.map(({ reason }: { reason: string }) => reason);
    expect(await reasons()).toEqual(['slow', ...Array(6).fill('draining')]);
    await control.post(`/v1/endpoints/${id}/pause`);
    expect(await reasons()).toEqual(Array(7).fill('paused'));
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: Answer['body'] = await lanesOf(id, `&limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`);
      seen.push(...page.items.map(({ lane }: { lane: string }) => lane));
      cursor = page.next_cursor;
    }
    expect(seen).toEqual(lanes);
  });

  it('given another tenant, or an unknown endpoint, then 404; given no endpoint, then 400', async () => {
    const id = await newEndpoint();
    const other = await control.keyFor('other');
    expect((await control.get(`/v1/lanes?endpoint_id=${id}`, other)).status).toBe(404);
    expect((await control.get('/v1/lanes?endpoint_id=ep_none')).status).toBe(404);
    expect(await control.get('/v1/lanes')).toMatchObject({ status: 400, body: { errors: [{ field: 'endpoint_id' }] } });
  });
});

describe('skipping a head', () => {
  const commands = () => new LaneCommands(control.database).open([LOG]);

  it('given a head in a tier, then a command asks its owner to give up the record, made again from the archive', async () => {
    const id = await newEndpoint();
    const made = await newDelivery(control, id);
    await control.write(attempt(made, { outcome: 'retry', status_code: 500, next_attempt_at: Date.now() + 60_000 }));
    await deliveryOnce(control, made.id, 'retrying');
    await nameHead(made, 30);
    const [lane] = (await lanesOf(id)).items;
    expect(await control.post(`/v1/lanes/${lane.id}/skip`)).toMatchObject({
      status: 202,
      body: { lane_id: lane.id, delivery_id: made.id },
    });
    expect((await control.post(`/v1/lanes/${lane.id}/skip`)).status).toBe(202);
    const [command, another] = await commands();
    expect(another).toBeUndefined();
    expect(command).toMatchObject({ lane: made.lane, place: 30, attempt: 1 });
    expect(decodeDelivery(command?.header)).toMatchObject({ deliveryId: made.id, eventId: made.eventId, replay: 0 });
    expect(JSON.parse(String(command?.body))).toMatchObject({
      id: made.eventId,
      data: { n: 12 },
      resource_id: 'inv-1',
    });
  });

  it('given a parked head, then its own record is given up, for any name of the lane', async () => {
    const id = await newEndpoint();
    const made = { ...(await newDelivery(control, id)), lane: `${id}:${'ü/?%'.repeat(64)}` };
    await park([parked(made, 40, { attempt: 1, reason: 'paused' })]);
    await nameHead(made, 40);
    const [lane] = (await lanesOf(id)).items;
    expect((await control.post(`/v1/lanes/${lane.id}/skip`)).status).toBe(202);
    const command = (await commands()).find(({ place }) => place === 40);
    expect(command).toMatchObject({ lane: made.lane, body: Buffer.from(`body of ${made.id}`) });
  });

  it('given only parked deliveries, then the first is given up; given a lane of another tenant, or an unknown one, then 404', async () => {
    const id = await newEndpoint();
    const made = await newDelivery(control, id);
    const later = await newDelivery(control, id);
    await park([
      parked({ ...later, lane: made.lane }, 51, { reason: 'breaker' }),
      parked(made, 50, { reason: 'breaker' }),
    ]);
    const [lane] = (await lanesOf(id)).items;
    expect(await control.post(`/v1/lanes/${lane.id}/skip`)).toMatchObject({
      status: 202,
      body: { lane_id: lane.id, delivery_id: made.id },
    });
    const ours = async () => (await commands()).filter((command) => command.lane === made.lane);
    expect(await ours()).toMatchObject([{ place: 50, attempt: 0, body: Buffer.from(`body of ${made.id}`) }]);
    await control.database.query('DELETE FROM parked_deliveries WHERE log = $1 AND lane = $2 AND place = 50', [
      LOG,
      made.lane,
    ]);
    expect(await ours()).toEqual([]);
    const other = await control.keyFor('other');
    expect((await control.post(`/v1/lanes/${lane.id}/skip`, undefined, other)).status).toBe(404);
    const unknown = Buffer.from(`${LOG}\nnobody`).toString('base64url');
    for (const name of [unknown, 'x', `${lane.id}!`]) {
      expect((await control.post(`/v1/lanes/${name}/skip`)).status).toBe(404);
    }
  });
});

describe('parked deliveries', () => {
  it('given pending, retrying, parked and over deliveries, then each shows its state and is found by it', async () => {
    const id = await newEndpoint();
    const make = () => newDelivery(control, id);
    const [waiting, returned, replayed, pending, retrying, over] = [
      await make(),
      await make(),
      await make(),
      await make(),
      await make(),
      await make(),
    ];
    const retry = { outcome: 'retry', status_code: 500, next_attempt_at: Date.now() + 9_000 } as const;
    await control.write(
      attempt(returned, retry),
      attempt(retrying, retry),
      attempt(replayed, { outcome: 'dead', dead_reason: 'max_retries' }),
      attempt(over),
    );
    await deliveryOnce(control, over.id, 'delivered');
    await park([
      parked(waiting, 60),
      parked(returned, 61, { attempt: 1 }),
      parked(replayed, 62, { replay: 1 }),
      parked(over, 63),
    ]);
    const ids = async (query: string): Promise<string[]> =>
      (await control.get(`/v1/deliveries?endpoint_id=${id}${query}`)).body.items.map((item: { id: string }) => item.id);
    const sorted = (...made: Made[]) => made.map((one) => one.id).sort();
    const { items } = (await control.get(`/v1/deliveries?endpoint_id=${id}`)).body;
    const statuses = items.map((item: { id: string; status: string }) => [item.id, item.status]);
    expect(Object.fromEntries(statuses)).toEqual({
      [waiting.id]: 'parked',
      [returned.id]: 'parked',
      [replayed.id]: 'parked',
      [pending.id]: 'pending',
      [retrying.id]: 'retrying',
      [over.id]: 'delivered',
    });
    expect(await ids('&status=pending')).toEqual([pending.id]);
    expect(await ids('&status=retrying')).toEqual([retrying.id]);
    expect((await ids('&status=parked')).sort()).toEqual(sorted(waiting, returned, replayed));
    expect(await ids(`&status=parked&event_id=${waiting.eventId}`)).toEqual([waiting.id]);
    const first = (await control.get(`/v1/deliveries?endpoint_id=${id}&status=parked&limit=2`)).body;
    const rest = await ids(`&status=parked&limit=2&cursor=${first.next_cursor}`);
    expect(new Set([...first.items.map((item: { id: string }) => item.id), ...rest]).size).toBe(3);
    expect((await control.get(`/v1/deliveries/${returned.id}`)).body).toMatchObject({
      status: 'parked',
      next_attempt_at: null,
      attempts: [{ attempt: 1 }],
    });
    expect((await control.post(`/v1/deliveries/${waiting.id}/retry`)).status).toBe(409);
    const other = await control.keyFor('other');
    expect((await control.get('/v1/deliveries?status=parked', other)).body.items).toEqual([]);
  });
});

describe('gauges and retention of lanes', () => {
  beforeEach(async () => {
    await control.database.query('DELETE FROM parked_deliveries');
    await control.database.query('DELETE FROM lane_rows');
  });

  it('given parked rows, then the gauges count lanes, deliveries and age', async () => {
    const id = await newEndpoint();
    const made = await newDelivery(control, id);
    const behindHead = { ...made, lane: `${id}:head` };
    await nameHead(behindHead, 80);
    await park([
      parked(behindHead, 81),
      parked(behindHead, 82),
      parked(made, 83, { lane: `${id}:slow`, reason: 'slow' }),
    ]);
    await control.app.get(ParkingGauges).look();
    expect((await metrics.parkedDeliveries.get()).values).toMatchObject([{ value: 3 }]);
    const lanes = (await metrics.parkedLanes.get()).values.map(({ labels, value }) => [labels.reason, value]);
    expect(Object.fromEntries(lanes)).toEqual({ head: 1, paused: 0, breaker: 0, slow: 1, key_missing: 0 });
    expect((await metrics.oldestParkedAge.get()).values[0]?.value).toBeGreaterThanOrEqual(5);
    expect((await metrics.breakers.get()).values).toContainEqual({ labels: { state: 'open' }, value: 0 });
  });

  it('given lane rows that are over for nine days, then they are deleted, except those with parked rows and heads', async () => {
    const id = await newEndpoint();
    const made = await newDelivery(control, id);
    const lanes = ['old', 'parked', 'head', 'young'].map((name) => `${id}:${name}`);
    const [old = '', waiting = '', head = '', young = ''] = lanes;
    const row = (lane: string, attempts: number | undefined): LaneWrite => ({
      lane,
      endpointId: id,
      row: { place: 70, attempt: attempts, deliveryId: made.id, dueAt: undefined },
    });
    await store.write(epoch, [row(old, undefined), row(waiting, undefined), row(head, 1), row(young, undefined)]);
    await park([parked(made, 71, { lane: waiting })]);
    await control.database.query(`UPDATE lane_rows SET updated_at = now() - interval '9 days' WHERE lane = ANY($1)`, [
      [old, waiting, head],
    ]);
    expect(await forgetLaneEvidence(control.database, Date.now(), 100)).toBe(1);
    const rows = await control.database.query<{ lane: string }>('SELECT lane FROM lane_rows WHERE endpoint_id = $1', [
      id,
    ]);
    expect(rows.map(({ lane }) => lane).sort()).toEqual([head, waiting, young].sort());
    expect(await control.database.query('SELECT log FROM lane_logs')).toEqual([{ log: LOG }]);
  });

  it('given no parked lane, then every hold reason has 0 lanes', async () => {
    await control.app.get(ParkingGauges).look();
    const lanes = (await metrics.parkedLanes.get()).values.map(({ labels, value }) => [labels.reason, value]);
    expect(Object.fromEntries(lanes)).toEqual({ head: 0, paused: 0, breaker: 0, slow: 0, key_missing: 0 });
  });
});
