import { copyFileSync, readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

const MAX_BYTES = 16 * 1_024 * 1_024;
const CHECK_MS = 10_000;

/**
 * Keeps log files bounded while processes append to them: one that is too long becomes `<name>.log.1` and starts anew.
 * It is copied and cut, not renamed, because the process that writes holds it open; lines written in between are lost.
 *
 * @param {string} dir
 * @returns {() => void} ends it
 */
export function limitLogFiles(dir) {
  const timer = setInterval(() => {
    for (const name of readdirSync(dir).filter((file) => file.endsWith('.log'))) rotate(join(dir, name));
  }, CHECK_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** @param {string} file */
function rotate(file) {
  if (statSync(file).size < MAX_BYTES) return;
  copyFileSync(file, `${file}.1`);
  truncateSync(file);
}
