import { randomBytes } from 'node:crypto';
import type { AppName, AppProcess } from '../../support/app-processes.js';
import { until } from '../../support/until.js';
import { newSecretKey, type TortureSystem } from '../harness/torture-system.js';
import type { Fault, Scene } from './fault.js';

/** Duration of each wrong configuration. */
const WRONG_MS = 5_000;
const SHOWN_LIMIT_MS = 30_000;
/** An instance number that no other fault uses. */
const WRONG_INSTANCE = 40;
const DISPATCHERS = [0, 1];

/** Faults of processes that lack a key of endpoints. */
export const KEY_FAULTS = {
  'wrong-key': { inject: wrongKey },
} satisfies Record<string, Fault>;

/**
 * Without protection, a dispatcher without keys would give up all deliveries, and a rotation in the wrong order those
 * of one endpoint.
 */
async function wrongKey(scene: Scene): Promise<void> {
  await scene.during({ kind: 'wrong_key', target: `dispatcher-${WRONG_INSTANCE}` }, async () => {
    await startWithWrongKey(scene);
    await rotateInWrongOrder(scene);
    return 2;
  });
  const { endpoints } = scene.run;
  for (const { id } of Object.values(endpoints)) {
    const path = `/v1/dead-letters?endpoint_id=${id}`;
    const { items } = await scene.system.apps.call<{ items: { detail: string }[] }>('control', path);
    const dead = items.filter(({ detail }) => detail === 'the endpoint does not exist');
    if (dead.length > 0) throw new Error(`${dead.length} deliveries of ${id} died of a missing key`);
  }
}

async function startWithWrongKey({ system, last }: Scene): Promise<void> {
  const { supervised, envs, secretKeys } = system;
  const [id = ''] = secretKeys.split(':');
  envs.set(`dispatcher-${WRONG_INSTANCE}`, { SECRET_KEYS: newSecretKey(id) });
  const wrong = await supervised.begin('dispatcher', WRONG_INSTANCE);
  await untilKeyIsMissing(wrong);
  await last(WRONG_MS);
  if (await isMember(wrong)) throw new Error(`${wrong.name} joined its group without the keys endpoints need`);
  await supervised.remove(wrong);
}

/** Control seals a static header under a key that the dispatchers get later. */
async function rotateInWrongOrder(scene: Scene): Promise<void> {
  const { system, run } = scene;
  const { supervised, envs, secretKeys } = system;
  const added = newSecretKey(`k${randomBytes(4).toString('hex')}`);
  envs.set(`control-${WRONG_INSTANCE}`, { SECRET_KEYS: `${added},${secretKeys}` });
  const ahead = await supervised.add('control', WRONG_INSTANCE);
  const path = `/v1/endpoints/${run.endpoints.strict.id}`;
  await patch(system, `${ahead.url}${path}`, { headers: { 'x-own': 'sealed again' } });
  for (const instance of DISPATCHERS) await untilKeyIsMissing(scene.app('dispatcher', instance));
  await scene.last(WRONG_MS);
  for (const instance of DISPATCHERS) await restart(scene, 'dispatcher', instance, `${secretKeys},${added}`);
  // Processes started later lack the key, so no endpoint may need it then.
  await patch(system, `${ahead.url}${path}`, { headers: {} });
  await supervised.remove(ahead);
}

async function patch({ apiKey }: TortureSystem, url: string, body: unknown): Promise<void> {
  const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'PATCH', headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`PATCH ${url}: ${response.status} ${await response.text()}`);
}

async function restart(scene: Scene, name: AppName, instance: number, secretKeys: string): Promise<void> {
  const { supervised, envs } = scene.system;
  await supervised.remove(scene.app(name, instance));
  envs.set(`${name}-${instance}`, { SECRET_KEYS: secretKeys });
  await supervised.add(name, instance);
}

async function checksOf({ url }: AppProcess): Promise<Readonly<Record<string, string>>> {
  const report = await (await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(2_000) })).json();
  return (report as { checks: Readonly<Record<string, string>> }).checks;
}

async function untilKeyIsMissing(process: AppProcess): Promise<void> {
  const isSaid = async () => (await checksOf(process)).secret_keys !== 'ok';
  await until(`${process.name} misses a key`, () => isSaid().catch(() => false), SHOWN_LIMIT_MS);
}

async function isMember(process: AppProcess): Promise<boolean> {
  return (await checksOf(process)).deliveries === 'ok';
}
