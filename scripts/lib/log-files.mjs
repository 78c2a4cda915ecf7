import { copyFileSync, readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

const MAX_BYTES = 16 * 1_024 * 1_024;
const CHECK_MS = 10_000;

/**
 * Limits the size of log files while processes append to them. A file that is too long is copied to `<name>.log.1` and
 * truncated. A rename would not help: the writing process keeps the file open. Lines written between copy and
 * truncation are lost.
 *
 * @param {string} dir
 * @returns {() => void} function that stops the rotation
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
