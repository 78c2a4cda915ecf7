import type { AppName, AppProcess } from '../../support/app-processes.js';
import { hitAtWork } from './at-work.js';
import type { Fault, Scene } from './fault.js';
import { CONTROL_POINTS, DISPATCHER_POINTS, INGEST_POINTS, killAt, SCHEDULER_POINTS } from './points.js';
import { BEYOND_SESSION_MS } from './times.js';

const APPS: readonly AppName[] = ['ingest', 'control', 'dispatcher', 'retry-scheduler'];
const STORM_MS = 15_000;
/** Number of dispatchers in addition to the two. */
const STORM_SIZE = 3;
const KILL_EVERY_MS = 2_000;

/** Faults of processes that end, in every way, and restart. */
export const PROCESS_FAULTS = {
  'dispatcher-kill': { inject: (scene) => killUnderLoad(scene, 'dispatcher') },
  'ingest-kill': { inject: (scene) => killUnderLoad(scene, 'ingest') },
  'scheduler-kill': { inject: (scene) => killUnderLoad(scene, 'retry-scheduler') },
  'control-kill': { inject: (scene) => killUnderLoad(scene, 'control') },
  'dispatcher-points': { inject: (scene) => killAt(scene, DISPATCHER_POINTS) },
  'ingest-points': { inject: (scene) => killAt(scene, INGEST_POINTS) },
  'scheduler-points': { inject: (scene) => killAt(scene, SCHEDULER_POINTS) },
  'control-points': { inject: whileChanging },
  sigterm: { budgets: { duplicates: 0, staleRepeats: 0 }, inject: terminateAll },
  storm: { inject: storm },
  zombie: { inject: zombie },
} satisfies Record<string, Fault>;

async function killUnderLoad(scene: Scene, app: AppName): Promise<void> {
  for (const instance of [0, 1]) {
    const process = scene.app(app, instance);
    await endAtWork(scene, [process], { kind: 'kill', target: process.name });
    await scene.last(KILL_EVERY_MS);
    await scene.system.supervised.allReady();
  }
}

/** Ends processes, all at once, and records their work in flight. */
async function endAtWork(
  scene: Scene,
  processes: readonly AppProcess[],
  { kind, target }: { kind: 'kill' | 'terminate'; target: string },
): Promise<void> {
  const { at: from, inFlight, ended } = await hitAtWork(scene, processes, kind);
  await ended;
  scene.note({ kind, target, from, to: Date.now(), fired: processes.length, inFlight });
}

/** Changes the configuration steadily, so that control has changes to announce. */
async function whileChanging(scene: Scene): Promise<void> {
  const isOver = new AbortController();
  const changes = keepChanging(scene, isOver.signal);
  await killAt(scene, CONTROL_POINTS);
  isOver.abort();
  await changes;
}

async function keepChanging(scene: Scene, isOver: AbortSignal): Promise<void> {
  const { system, run } = scene;
  const path = `/v1/endpoints/${run.endpoints.strict.id}`;
  for (let change = 0; !isOver.aborted; change++) {
    const body = { description: `change ${change}` };
    // A killed control does not answer; the next change goes to another one.
    await system.apps.call('control', path, { method: 'PATCH', body }).catch(() => undefined);
    await scene.last(300);
  }
}

async function terminateAll(scene: Scene): Promise<void> {
  const { supervised, apps } = scene.system;
  for (const app of APPS) {
    const process = scene.app(app, 1);
    await endAtWork(scene, [process], { kind: 'terminate', target: process.name });
    await supervised.allReady();
  }
  await endAtWork(scene, [...apps.all()], { kind: 'terminate', target: 'all' });
  await supervised.allReady();
}

/** Dispatchers start and end: some end before they joined, others while they own partitions. */
async function storm(scene: Scene): Promise<void> {
  const { supervised } = scene.system;
  await scene.during({ kind: 'storm', target: 'dispatcher' }, async () => {
    const here: Promise<AppProcess>[] = [];
    const going: Promise<void>[] = [];
    let changes = 0;
    for (const endAt = Date.now() + STORM_MS; Date.now() < endAt; changes++) {
      if (here.length < STORM_SIZE) here.push(supervised.add('dispatcher', 10 + changes));
      else going.push(remove(here.shift()));
      await scene.last(500 + scene.random.pick(1_500));
    }
    await Promise.all([...going, ...here.map(remove)]);
    return changes;
  });

  async function remove(added: Promise<AppProcess> | undefined): Promise<void> {
    const process = await added;
    if (process) await supervised.remove(process);
  }
}

async function zombie(scene: Scene): Promise<void> {
  const { supervised } = scene.system;
  const process = scene.app('dispatcher', 1);
  const { at: from, inFlight } = await hitAtWork(scene, [process], 'freeze');
  await scene.last(BEYOND_SESSION_MS);
  supervised.thaw(process);
  scene.note({ kind: 'freeze', target: process.name, from, to: Date.now(), fired: 1, inFlight });
}
