import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Files of one running system on this machine. Only the owner may read the secrets and the run file.
 *
 * @param {string} home
 */
export function homePaths(home) {
  return {
    home,
    kafka: join(home, 'kafka'),
    postgres: join(home, 'postgres'),
    logs: join(home, 'logs'),
    secrets: join(home, 'secrets.json'),
    run: join(home, 'run.json'),
    processes: join(home, 'processes.json'),
  };
}
