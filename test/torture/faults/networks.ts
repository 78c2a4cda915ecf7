import type { Fault, Scene } from './fault.js';
import { BEYOND_SESSION_MS } from './times.js';

const CUT_MS = 6_000;
const POSTGRES_CUT_MS = 12_000;
const DNS_MS = 8_000;
/** Duration of a cut that forces dispatchers to reconnect, and so to resolve names again. */
const RECONNECT_MS = 200;
const RECONNECT_EVERY_MS = 1_500;

/** Faults of the network between the apps and their servers. */
export const NETWORK_FAULTS = {
  'cut-kafka': {
    inject: (scene) =>
      scene.impose(
        { kind: 'cut', target: 'dispatcher-1→kafka' },
        scene.system.brokers.links,
        { kind: 'freeze', client: /^posthorn-dispatcher-1$/ },
        BEYOND_SESSION_MS,
      ),
  },
  'refuse-kafka': {
    inject: (scene) =>
      scene.impose({ kind: 'cut', target: 'apps→kafka' }, scene.system.brokers.links, { kind: 'cut' }, CUT_MS),
  },
  'slow-kafka': {
    inject: (scene) =>
      scene.impose(
        { kind: 'slow_link', target: 'apps→kafka' },
        scene.system.brokers.links,
        { kind: 'delay', ms: 300 },
        CUT_MS,
      ),
  },
  'cut-postgres': {
    inject: (scene) =>
      scene.impose(
        { kind: 'cut', target: 'dispatcher-1→postgres' },
        [scene.system.postgresLink],
        { kind: 'freeze', client: /^dispatcher-1$/ },
        POSTGRES_CUT_MS,
      ),
  },
  'cut-receiver': { inject: cutReceiver },
  'dns-dead': { inject: (scene) => dns(scene, 'silent') },
  'dns-slow': { inject: (scene) => dns(scene, 'late') },
} satisfies Record<string, Fault>;

/** The links first stay silent, then refuse connections. */
async function cutReceiver(scene: Scene): Promise<void> {
  const { steady, free } = scene.run.endpoints;
  const links = [steady.link, free.link];
  const target = `dispatchers→${steady.hook}`;
  const underWay = () => scene.onceSome(() => links.reduce((sum, { unanswered }) => sum + unanswered.length, 0));
  await scene.impose({ kind: 'cut', target, inFlight: await underWay() }, links, { kind: 'freeze' }, CUT_MS);
  await scene.impose({ kind: 'cut', target, inFlight: await underWay() }, links, { kind: 'cut' }, CUT_MS / 2);
}

/** An open connection needs no name, so connections are cut during the fault of names. */
async function dns(scene: Scene, behaviour: 'silent' | 'late'): Promise<void> {
  const { system, run } = scene;
  await scene.during({ kind: 'dns', target: `${run.endpoints.free.hook}: ${behaviour}` }, async () => {
    const before = system.dns.questions;
    system.dns.behave(behaviour);
    for (const endAt = Date.now() + DNS_MS; Date.now() < endAt; ) {
      const lift = run.endpoints.free.link.impose({ kind: 'cut' });
      await scene.last(RECONNECT_MS);
      lift();
      await scene.last(RECONNECT_EVERY_MS);
    }
    system.dns.behave('answer');
    return system.dns.questions - before;
  });
}
