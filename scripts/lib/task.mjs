import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/**
 * Runs a command to its end.
 *
 * @param {import('./child.mjs').Launch} launch
 * @param {{ failure: string, signal?: AbortSignal | undefined, onLine?: (line: string) => void }} options `failure`
 *   opens the error message; an abort ends the command's whole process group
 * @returns {Promise<void>}
 * @throws Error with the command's last lines
 */
export async function runTask({ command, args, ...options }, { failure, signal, onLine }) {
  signal?.throwIfAborted();
  const task = spawn(command, args, { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const end = () => task.pid && killGroup(task.pid);
  signal?.addEventListener('abort', end);
  /** @type {string[]} */
  const output = [];
  for (const stream of [task.stdout, task.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      output.push(line);
      if (output.length > 60) output.shift();
      onLine?.(line);
    });
  }
  try {
    const code = await new Promise((resolve, reject) => {
      task.once('error', reject);
      task.once('close', resolve);
    });
    signal?.throwIfAborted();
    if (code !== 0) throw new Error(`${failure} (${command} ended with ${code}):\n${output.join('\n')}`);
  } finally {
    signal?.removeEventListener('abort', end);
  }
}

/** @param {number} pid */
function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGTERM');
  } catch {
    // It has ended by itself.
  }
}
