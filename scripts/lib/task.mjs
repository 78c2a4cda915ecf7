import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Lines of output in an error message. */
const SHOWN_LINES = 40;

/**
 * Runs a command and waits for its end.
 *
 * @param {import('./child.mjs').Launch} launch
 * @param {{ failure: string, signal?: AbortSignal | undefined, onLine?: (line: string) => void }} options `failure`
 *   opens the error message; an abort ends the command's whole process group
 * @returns {Promise<void>}
 * @throws Error with the command's first and last lines
 */
export async function runTask({ command, args, ...options }, { failure, signal, onLine }) {
  signal?.throwIfAborted();
  const task = spawn(command, args, { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const end = () => task.pid && killGroup(task.pid);
  signal?.addEventListener('abort', end);
  /** @type {string[]} */
  const output = [];
  let omitted = 0;
  for (const stream of [task.stdout, task.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      output.push(line);
      // Commands usually print the cause first, and the consequence last.
      if (output.length > SHOWN_LINES) omitted += output.splice(SHOWN_LINES / 2, 1).length;
      onLine?.(line);
    });
  }
  try {
    const code = await new Promise((resolve, reject) => {
      task.once('error', reject);
      task.once('close', resolve);
    });
    signal?.throwIfAborted();
    if (code === 0) return;
    if (omitted > 0) output.splice(SHOWN_LINES / 2, 0, `… ${omitted} more lines …`);
    throw new Error(`${failure} (${command} ended with ${code}):\n${output.join('\n')}`);
  } finally {
    signal?.removeEventListener('abort', end);
  }
}

/** @param {number} pid */
function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGTERM');
  } catch {
    // The process has ended already.
  }
}
