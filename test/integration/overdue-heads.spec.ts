import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LaneStore, type LogEpoch } from '#common/postgres/lane-store.js';
import { overdueHeads } from '#common/postgres/overdue-heads.js';
import { decodeDelivery } from '#common/records/delivery-record.js';
import { ControlApp } from '../support/control-app.js';
import { type Made, newDelivery } from '../support/made-delivery.js';
import '../support/quiet.js';

const LOG = 'deliveries/2';
let control: ControlApp;
let store: LaneStore;
let epoch: LogEpoch;

beforeAll(async () => {
  control = await ControlApp.start();
  store = new LaneStore(control.database);
  epoch = await store.raiseEpoch(await store.epochOf(LOG));
});
afterAll(() => control.stop());

/** A delivery that failed twice, as the head of its lane. */
async function head(lane: string, place: number, dueAt: number | undefined): Promise<Made> {
  const made = await newDelivery(control, 'ep_1');
  await control.database.query(
    `INSERT INTO deliveries (id, accepted_at, tenant, event_id, event_type, endpoint_id, lane, status, replay, attempts, updated_at)
     VALUES ($1, $2, 'acme', $3, $4, $5, $6, 'retrying', 1, 2, now())`,
    [made.id, new Date(made.acceptedAt), made.eventId, made.type, made.endpoint, lane],
  );
  const row = { place, attempt: 2, deliveryId: made.id, dueAt };
  await store.write(epoch, [{ lane, endpointId: made.endpoint, row }]);
  return made;
}

describe('overdueHeads', () => {
  it('given a head that is due and one that is not, then only the due one is made again, for its own log and a known endpoint', async () => {
    const dueAt = Date.now() - 1_000;
    const made = await head('ep_1:due', 7, dueAt);
    await head('ep_1:later', 8, Date.now() + 60_000);

    const heads = await overdueHeads(control.database, LOG, () => 'full');

    expect(heads.map(({ lane }) => lane)).toEqual(['ep_1:due']);
    expect(decodeDelivery(heads[0]?.header)).toEqual({
      ...{ deliveryId: made.id, eventId: made.eventId, endpointId: 'ep_1', tenant: 'acme', eventType: made.type },
      ...{ attempt: 2, replay: 1, acceptedAt: made.acceptedAt, returned: true, place: 7, dueAt, tierUntil: undefined },
    });
    expect(JSON.parse(String(heads[0]?.body))).toMatchObject({ id: made.eventId, sequence: 41, data: { n: 12 } });
    expect(await overdueHeads(control.database, 'deliveries/3', () => 'full')).toEqual([]);
    expect(await overdueHeads(control.database, LOG, () => undefined)).toEqual([]);
  });

  it('given a head whose attempt was in flight when its log lost its tail, then it is made again on request', async () => {
    await head('ep_1:in-flight', 9, undefined);
    const lanes = async (areOrphans: boolean) =>
      (await overdueHeads(control.database, LOG, () => 'full', areOrphans)).map(({ lane }) => lane);
    expect(await lanes(false)).not.toContain('ep_1:in-flight');
    expect(await lanes(true)).toContain('ep_1:in-flight');
  });
});
