import type { Fault, Scene } from './fault.js';

const HOUR_MS = 3_600_000;
const AHEAD_MS = 5_000;

/** One machine's clock is wrong. */
export const CLOCK_FAULTS = {
  'clock-ahead': { inject: (scene) => clock(scene, HOUR_MS) },
  'clock-behind': { inject: (scene) => clock(scene, -HOUR_MS) },
} satisfies Record<string, Fault>;

/** The clocks of a dispatcher, a retry-scheduler and an ingest jump, and are corrected later. */
async function clock(scene: Scene, shiftMs: number): Promise<void> {
  const processes = [scene.app('dispatcher', 1), scene.app('retry-scheduler', 1), scene.app('ingest', 1)];
  const names = processes.map(({ name }) => name).join(', ');
  await scene.during({ kind: 'clock_jump', target: `${names} by ${shiftMs / HOUR_MS} h` }, async () => {
    for (const process of processes) scene.system.moveClock(process, shiftMs);
    await scene.last(AHEAD_MS);
    for (const process of processes) scene.system.moveClock(process, 0);
    return processes.length;
  });
}
