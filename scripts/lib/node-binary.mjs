import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ROOT } from './paths.mjs';
import { UserError } from './settings.mjs';

/** Node.js version of the apps. */
const WANTED_MAJOR = 24;

/**
 * The Node.js of the apps. npm installs it; `npm start` itself may run on an older one.
 *
 * @returns {string} path of the binary
 * @throws UserError when the binary is missing
 */
export function appNode() {
  const installed = join(ROOT, 'node_modules', 'node', 'bin', 'node');
  for (const candidate of [installed, process.execPath]) {
    const { status, stdout } = spawnSync(candidate, ['--version'], { encoding: 'utf8' });
    if (status === 0 && Number(/^v(\d+)/.exec(stdout)?.[1]) >= WANTED_MAJOR) return candidate;
  }
  throw new UserError(
    `Node ${WANTED_MAJOR} is missing: npm installs it as the package "node", unless install scripts are forbidden ` +
      '(npm config get ignore-scripts). Allow them and run npm ci, or use Node 24 yourself.',
  );
}

/** @returns {boolean} whether this Node.js strips TypeScript types without a flag or a warning */
export function runsTypeScript() {
  return Number.parseInt(process.versions.node, 10) >= WANTED_MAJOR;
}

/**
 * Runs the command of this process again, on the Node.js of the apps.
 *
 * @returns {Promise<number>} exit code
 * @throws UserError when that Node.js is missing
 */
export async function runAgainOnAppNode() {
  const child = spawn(appNode(), process.argv.slice(1), { stdio: 'inherit' });
  // A terminal sends SIGINT to the child, too.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const [code] = await once(child, 'exit');
  return code ?? 1;
}
