import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AppProcess } from '../support/app-processes.js';
import { Cluster } from '../support/cluster.js';
import type { TrafficOptions } from '../support/ordered-traffic.js';
import { until } from '../support/until.js';
import { useTraffic } from '../support/use-traffic.js';

/*
 * Processes without the keys that endpoints need, and the rotation of a key, on real servers. A missing key is an
 * operator's mistake: it must be visible, and no delivery may die of it.
 */

const keyText = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const OLD = keyText('old');
const NEW = keyText('new');
const SMALL: TrafficOptions = { resources: 20, rounds: 10, roundMs: 100 };

let cluster: Cluster;
const traffic = useTraffic(() => cluster);

beforeAll(async () => {
  cluster = await Cluster.start({ SECRET_KEYS: OLD });
}, 180_000);

afterAll(() => cluster?.stop(), 60_000);

interface Readiness {
  readonly status: 'ok' | 'unavailable';
  readonly checks: Readonly<Record<string, string>>;
}

async function readiness({ url }: AppProcess): Promise<Readiness> {
  return (await (await fetch(`${url}/health/ready`)).json()) as Readiness;
}

async function untilCheck(process: AppProcess, check: string, wanted: string): Promise<void> {
  let said: unknown;
  const isSo = async () => {
    said = await readiness(process).catch(() => undefined);
    return (said as Readiness | undefined)?.checks[check]?.includes(wanted) ?? false;
  };
  await until(`${process.name} says of ${check}: ${wanted}`, isSo, 40_000).catch((error: Error) => {
    throw new Error(`${error.message}; it says ${JSON.stringify(said)}`);
  });
}

async function restart(process: AppProcess, env: NodeJS.ProcessEnv): Promise<AppProcess> {
  const instance = Number(process.name.slice(process.app.length + 1));
  await cluster.remove(process);
  return cluster.add(process.app, instance, env);
}

const deadLetters = async (endpointId: string) =>
  (await cluster.call<{ items: unknown[] }>('control', `/v1/dead-letters?endpoint_id=${endpointId}`)).items;

describe('secret keys', () => {
  it.each([
    {
      given: 'another key under the same id',
      keys: keyText('old'),
      says: 'the key "old" of SECRET_KEYS does not open',
    },
    { given: 'a key that seals no secret', keys: NEW, says: 'SECRET_KEYS does not name the key "old"' },
  ])(
    'given a dispatcher with $given, then readiness names the key, and the dispatcher owns no partition',
    async ({ keys, says }) => {
      const seen = await traffic(SMALL);
      const wrong = await cluster.begin('dispatcher', 1, { SECRET_KEYS: keys });
      await untilCheck(wrong, 'secret_keys', says);
      await seen.publish();
      await seen.complete(30_000);

      expect((await readiness(wrong)).checks).toMatchObject({
        deliveries: 'not a member of group dispatcher',
        endpoints: 'ok',
      });
      expect(await deadLetters(seen.endpointId)).toEqual([]);
      await cluster.call('control', `/v1/endpoints/${seen.endpointId}`, { method: 'DELETE' });
      // No endpoint needs the key any more.
      await untilCheck(wrong, 'deliveries', 'ok');
      expect((await readiness(wrong)).status).toBe('ok');
      await cluster.remove(wrong);
    },
    120_000,
  );

  it('given a control with another key under an id in use, then readiness names it, nothing is sealed, and reads continue', async () => {
    const seen = await traffic(SMALL);
    const wrong = await cluster.begin('control', 1, { SECRET_KEYS: keyText('old') });
    await untilCheck(
      wrong,
      'secret_keys',
      'the key "old" of SECRET_KEYS does not open secrets, which 1 endpoint needs',
    );
    const ask = async (path: string, body?: unknown) => {
      const headers = { authorization: `Bearer ${cluster.apiKey}`, 'content-type': 'application/json' };
      const post = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
      const response = await fetch(`${wrong.url}${path}`, { headers, ...post });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    await until('it knows the API key', async () => (await ask('/v1/endpoints')).status === 200);
    const input = { url: 'http://127.0.0.1:9/', event_types: ['*'] };
    expect(await ask('/v1/endpoints', input)).toMatchObject({ status: 503, body: { code: 'SECRET_KEYS_WRONG' } });
    expect((await readiness(wrong)).checks).toMatchObject({
      projector: 'not a member of group control',
      postgres: 'ok',
    });
    await cluster.remove(wrong);
    await cluster.call('control', `/v1/endpoints/${seen.endpointId}`, { method: 'DELETE' });
  }, 120_000);

  it('given the new key comes to control first, then its endpoints wait for the dispatcher, others do not, and no delivery dies', async () => {
    const before = await traffic(SMALL);
    await restart(cluster.app('control'), { SECRET_KEYS: `${NEW},${OLD}` });
    const after = await traffic(SMALL);
    const dispatcher = cluster.app('dispatcher');
    await untilCheck(dispatcher, 'secret_keys', 'SECRET_KEYS does not name the key "new", which 1 endpoint needs');
    await Promise.all([before.publish(), after.publish()]);
    await before.complete(30_000);
    const lanes = async () =>
      (
        await cluster.call<{ items: { reason: string; parked: number }[] }>(
          'control',
          `/v1/lanes?endpoint_id=${after.endpointId}&limit=100`,
        )
      ).items;
    const parked = async () => (await lanes()).reduce((sum, lane) => sum + lane.parked, 0);
    await until('all of them are parked', async () => (await parked()) === after.published);
    expect(new Set((await lanes()).map(({ reason }) => reason))).toEqual(new Set(['key_missing']));
    expect(await cluster.metric(dispatcher, 'posthorn_endpoints_key_missing')).toBe(1);
    expect(after.requests).toBe(0);

    await restart(dispatcher, { SECRET_KEYS: `${OLD},${NEW}` });
    await after.complete(30_000);
    expect({ accepted: after.accepted.size, disorder: after.disorder, repeats: after.repeats }).toEqual({
      accepted: after.published,
      disorder: 0,
      repeats: 0,
    });
    expect(await deadLetters(after.endpointId)).toEqual([]);
  }, 180_000);
});
