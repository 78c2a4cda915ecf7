import { rmSync } from 'node:fs';

/*
 * Sees to it that nothing outlives a torture that was broken off: its processes are in groups of their own, which neither a
 * Ctrl-C nor the end of their parent reaches. Told by IPC which there are; when the connection ends, it ends them.
 */

/** @typedef {{ pids: number[], folder: string }} Ward */

/** @type {Ward} */
let ward = { pids: [], folder: '' };

process.on('message', (/** @type {Ward} */ told) => {
  ward = told;
});
process.on('disconnect', () => {
  for (const pid of ward.pids) {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
  if (ward.folder !== '') rmSync(ward.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  process.exit(0);
});
// A Ctrl-C is meant for its parent, whose end it waits for.
process.on('SIGINT', () => undefined);
