import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './paths.mjs';
import { runTask } from './task.mjs';

/** Variables by which an outer npm tells a script about itself; an inner npm would take them for its own settings. */
const OUTER_NPM = /^npm_(config_(local_)?prefix|config_global|command|lifecycle_|package_)/i;

/**
 * Installs what package-lock.json names, unless that is what node_modules holds.
 *
 * @param {{ signal?: AbortSignal | undefined, note: (text: string) => void }} options
 */
export async function installDependencies({ signal, note }) {
  if (areDependenciesCurrent()) return note('up to date');
  const [command, ...args] = npmCommand();
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !OUTER_NPM.test(name)));
  const install = { command, args: [...args, 'ci', '--no-audit', '--no-fund', '--loglevel=http'], cwd: ROOT, env };
  let packages = 0;
  await runTask(install, {
    failure: 'npm could not install the dependencies',
    signal,
    onLine: (line) => {
      if (/http fetch GET 200/.test(line)) note(`${++packages} fetched`);
    },
  });
}

/** @returns {boolean} whether every package of the lock file is installed in its version */
export function areDependenciesCurrent() {
  const installed = join(ROOT, 'node_modules', '.package-lock.json');
  if (!existsSync(installed)) return false;
  const wanted = packagesOf(join(ROOT, 'package-lock.json'));
  const present = packagesOf(installed);
  return Object.entries(wanted).every(([path, { version, optional, link }]) => {
    if (path === '' || link) return true;
    // npm leaves out what is optional and made for another platform.
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
