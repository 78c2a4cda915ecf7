import type { AppName, AppProcess } from '../../support/app-processes.js';
import type { Scene } from './fault.js';

/** The way a process is hit. `freeze` leaves it frozen. */
export type Blow = 'kill' | 'terminate' | 'freeze';

/** Longest wait until each app has work, with a margin for a busy machine or a restarted server. */
const AT_WORK_LIMIT_MS = 30_000;
/** Time after which writes from before the stop have arrived. */
const ARRIVED_MS = 10;
const LOOK_AGAIN_MS = 20;

/**
 * Hits processes that have work in flight. The processes are stopped while their work is counted, so that the count is
 * exact. Without work, all continue, and the next try follows. The stop itself is no fault: it is too short for any
 * timeout, and the judge permits no deviation for it.
 *
 * @returns time of the hit; work in flight, 0 unless each app had some; and a promise of the ends of stopped processes
 */
export async function hitAtWork(
  scene: Scene,
  processes: readonly AppProcess[],
  blow: Blow,
): Promise<{ at: number; inFlight: number; ended: Promise<unknown> }> {
  for (const deadline = Date.now() + AT_WORK_LIMIT_MS; ; ) {
    const isLate = Date.now() > deadline;
    // An idle app is visible without a stop, so its processes are not stopped.
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

/** @returns the sum; 0 if an app is idle, because SIGTERM to all must test each app */
async function workOf({ run }: Scene, processes: readonly AppProcess[]): Promise<number> {
  const sums = new Map<AppName, number>();
  const counts = await Promise.all(processes.map((process) => run.work.underWay(process)));
  for (const [index, { app }] of processes.entries()) sums.set(app, (sums.get(app) ?? 0) + (counts[index] ?? 0));
  const all = [...sums.values()];
  return all.includes(0) ? 0 : all.reduce((sum, each) => sum + each, 0);
}

/** Hits all processes in the same turn. */
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
