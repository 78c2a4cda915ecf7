import { rmSync } from 'node:fs';

/*
 * Kills the processes of an aborted torture run. They are in their own process groups, which neither Ctrl-C nor the end
 * of the parent ends. The parent sends the pids by IPC; when the channel closes, this process kills them.
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
      // The process has ended already.
    }
  }
  if (ward.folder !== '') rmSync(ward.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  process.exit(0);
});
// Ctrl-C ends the parent, whose end this process waits for.
process.on('SIGINT', () => undefined);
