import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { EndpointRecord } from '#common/records/endpoint-record.js';
import { ENDPOINTS_TOPIC } from '#common/records/topics.js';
import { Sealer, sealingContext } from '#common/security/sealing.js';
import { resealAll } from '../../apps/control/src/endpoints/reseal.js';
import { usedKeys } from '../../apps/control/src/secrets/sealing-keys.js';
import { ControlApp } from '../support/control-app.js';
import '../support/quiet.js';
import { until } from '../support/until.js';

const keyText = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const OLD = keyText('k1');
const NEW = keyText('k2');

let control: ControlApp;
let published: Map<string, EndpointRecord>;

beforeAll(async () => {
  control = await ControlApp.start({ secretKeys: OLD });
  published = (await control.table(ENDPOINTS_TOPIC)) as Map<string, EndpointRecord>;
});
afterAll(() => control.stop());

const create = async (headers = {}): Promise<{ id: string; secret: string }> =>
  (await control.post('/v1/endpoints', { url: 'http://127.0.0.1:9/', event_types: ['*'], tenant: 'acme', headers }))
    .body;
const keysInUse = async () => (await usedKeys(control.database)).map(({ key_id, endpoints }) => [key_id, endpoints]);

describe('resealAll', () => {
  it('given secrets under an old key, then they are sealed under the first key and published, once, unchanged', async () => {
    const first = await create({ 'x-own': 'kept' });
    const second = await create();
    await control.post(`/v1/endpoints/${second.id}/secret/rotate`, { overlap_s: 3_600 });
    await until('both are published', () => published.get(second.id)?.secrets.length === 2 && published.has(first.id));
    const before = published.get(first.id);
    const without = await resealAll(control.database, new Sealer(NEW));
    expect({ without, keys: await keysInUse() }).toEqual({ without: { resealed: 0, failed: 2 }, keys: [['k1', 2]] });

    const sealer = new Sealer(`${NEW},${OLD}`);
    expect(await resealAll(control.database, sealer)).toEqual({ resealed: 2, failed: 0 });
    expect(await resealAll(control.database, sealer)).toEqual({ resealed: 0, failed: 0 });
    expect(await keysInUse()).toEqual([['k2', 2]]);
    await until('it is published', () => (published.get(first.id)?.version ?? 0) > (before?.version ?? 0));
    await until(
      'the other, too',
      () => published.get(second.id)?.secrets.every(({ sealed }) => sealed.startsWith('v1:k2:')) ?? false,
    );
    const after = published.get(first.id) as EndpointRecord;
    const only = new Sealer(NEW);
    const key = only.open(after.secrets[0]?.sealed ?? '', sealingContext('acme', first.id, 'secret'));
    expect(`whsec_${key.toString('base64')}`).toBe(first.secret);
    const headers = only.open(after.headers_sealed ?? '', sealingContext('acme', first.id, 'headers')).toString();
    expect(JSON.parse(headers)).toEqual({ 'x-own': 'kept' });
    const { secrets: _secrets, headers_sealed: _headers, version: _version, ...same } = after;
    expect(before).toMatchObject(same);
  });
});
