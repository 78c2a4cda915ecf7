import type { AppName, AppProcess } from '../../support/app-processes.js';
import type { Scene } from './fault.js';

/** How a process is hit. `freeze` leaves it frozen. */
export type Blow = 'kill' | 'terminate' | 'freeze';

/** A busy machine, or a server that just came back, may take so long until everybody has something to do. */
const AT_WORK_LIMIT_MS = 30_000;
/** What a process wrote before it stood still has arrived by then. */
const ARRIVED_MS = 10;
const LOOK_AGAIN_MS = 20;

/**
 * Hits processes while they are at work. They are stopped for the moment in which their work is counted, so that the
 * figure is of the very moment of the blow; if one has nothing to do, all go on, and it is tried again. That is no fault
 * of its own: it is over long before anybody could notice, and the judge permits nothing for it.
 *
 * @returns when it was; the work they had, 0 unless each app had some; and the end of those that were to end
 */
export async function hitAtWork(
  scene: Scene,
  processes: readonly AppProcess[],
  blow: Blow,
): Promise<{ at: number; inFlight: number; ended: Promise<unknown> }> {
  for (const deadline = Date.now() + AT_WORK_LIMIT_MS; ; ) {
    const isLate = Date.now() > deadline;
    // Nobody is stopped in vain as long as one can see that there is nothing to do.
    if (isLate || (await workOf(scene, processes)) > 0) {
      for (const { server } of processes) server.child?.signalGroup('SIGSTOP');
      await scene.last(ARRIVED_MS);
      const inFlight = await workOf(scene, processes);
      if (isLate || inFlight > 0) return { at: Date.now(), inFlight, ended: strike(scene, processes, blow) };
      for (const { server } of processes) server.child?.signalGroup('SIGCONT');
    }
    await scene.last(LOOK_AGAIN_MS);
  }
}

/** @returns the sum, or 0 if an app has nothing to do: SIGTERM to all proves something of each */
async function workOf({ run }: Scene, processes: readonly AppProcess[]): Promise<number> {
  const sums = new Map<AppName, number>();
  const counts = await Promise.all(processes.map((process) => run.work.underWay(process)));
  for (const [index, { app }] of processes.entries()) sums.set(app, (sums.get(app) ?? 0) + (counts[index] ?? 0));
  const all = [...sums.values()];
  return all.includes(0) ? 0 : all.reduce((sum, each) => sum + each, 0);
}

/** Begun at once, for all in one go. */
function strike({ system: { supervised } }: Scene, processes: readonly AppProcess[], blow: Blow): Promise<unknown> {
  const ended = processes.map(async (process) => {
    if (blow === 'kill') return supervised.kill(process);
    if (blow === 'freeze') return supervised.freeze(process);
    const end = supervised.terminate(process);
    process.server.child?.signalGroup('SIGCONT');
    return end;
  });
  return Promise.all(ended);
}
