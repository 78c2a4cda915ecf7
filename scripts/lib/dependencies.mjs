import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './paths.mjs';
import { runTask } from './task.mjs';

/** Variables that npm sets for its scripts. An inner npm would read them as its own settings. */
const OUTER_NPM = /^npm_(config_(local_)?prefix|config_global|command|lifecycle_|package_)/i;

/** File with the digest of the lock file from which the server's packages alone were installed. */
const SERVER_ONLY = join(ROOT, 'node_modules', '.server-only');

/**
 * Installs the packages of package-lock.json, unless node_modules has them.
 *
 * @param {object} options
 * @param {boolean} options.workspaces false installs only the server's packages, without those of packages/ and web/
 * @param {AbortSignal} [options.signal]
 * @param {(text: string) => void} options.note
 */
export async function installDependencies({ workspaces, signal, note }) {
  if (areDependenciesCurrent() || (!workspaces && isServerCurrent())) return note('up to date');
  const [command, ...args] = npmCommand();
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !OUTER_NPM.test(name)));
  const install = {
    command,
    args: [
      ...args,
      'ci',
      `--workspaces=${workspaces}`,
      '--include-workspace-root',
      '--no-audit',
      '--no-fund',
      '--loglevel=http',
    ],
    cwd: ROOT,
    env,
  };
  let packages = 0;
  await runTask(install, {
    failure: 'npm could not install the dependencies',
    signal,
    onLine: (line) => {
      if (/http fetch GET 200/.test(line)) note(`${++packages} fetched`);
    },
  });
  if (!workspaces) writeFileSync(SERVER_ONLY, digestOfLock());
}

/** @returns {boolean} whether the server's packages of the present lock file are installed */
function isServerCurrent() {
  return existsSync(SERVER_ONLY) && readFileSync(SERVER_ONLY, 'utf8') === digestOfLock();
}

function digestOfLock() {
  return createHash('sha256')
    .update(readFileSync(join(ROOT, 'package-lock.json')))
    .digest('hex');
}

/** @returns {boolean} whether every package of the lock file is installed in its version */
export function areDependenciesCurrent() {
  const installed = join(ROOT, 'node_modules', '.package-lock.json');
  if (!existsSync(installed)) return false;
  const wanted = packagesOf(join(ROOT, 'package-lock.json'));
  const present = packagesOf(installed);
  return Object.entries(wanted).every(([path, { version, optional, link }]) => {
    if (path === '' || link) return true;
    // npm skips optional packages of other platforms.
    return present[path] ? present[path].version === version : optional === true;
  });
}

/**
 * @param {string} lockFile
 * @returns {Record<string, { version: string, optional?: boolean, link?: boolean }>} by path
 */
function packagesOf(lockFile) {
  return JSON.parse(readFileSync(lockFile, 'utf8')).packages;
}

/** @returns {[string, ...string[]]} the npm that runs this script, else the first on the path */
function npmCommand() {
  const outer = process.env.npm_execpath;
  return outer && /npm-cli\.js$/.test(outer) ? [process.execPath, outer] : ['npm'];
}
