import { isPortFree } from './ports.mjs';
import { endLeftovers, SUPERVISOR } from './process-file.mjs';
import { UserError, usedPorts } from './settings.mjs';

/** Longest grace time of any process. */
const LONGEST_GRACE_MS = 10_000;

/**
 * Takes over the folder and its ports: rejects a second run, and stops the processes that a killed run left behind, in
 * order.
 *
 * @param {import('./settings.mjs').Settings} settings
 * @param {import('./process-file.mjs').ProcessFile} processes
 * @param {import('./progress.mjs').Progress} progress
 * @throws UserError when another run uses the folder, or another program a port
 */
export async function takeOver(settings, processes, progress) {
  const alive = processes.alive();
  const other = alive.find(({ name }) => name === SUPERVISOR);
  if (other) {
    throw new UserError(
      `Posthorn already runs in ${settings.paths.home} (process ${other.pid}): stop that one first, ` +
        'or give this one its own POSTHORN_HOME and ports.',
    );
  }
  if (alive.length > 0) {
    const names = alive.map(({ name, pid }) => `${name} (${pid})`).join(', ');
    await progress.step(`End what a killed run left behind: ${names}`, () => endLeftovers(alive, LONGEST_GRACE_MS));
  }
  await refuseTakenPorts(settings);
}

/** @param {import('./settings.mjs').Settings} settings */
async function refuseTakenPorts(settings) {
  const taken = [];
  for (const [name, port] of usedPorts(settings)) {
    if (!(await isPortFree(port))) taken.push(`port ${port} (${name})`);
  }
  if (taken.length === 0) return;
  throw new UserError(
    `Taken by another program: ${taken.join(', ')}. ` +
      'Stop that program, or choose another port by the variable in parentheses.',
  );
}
