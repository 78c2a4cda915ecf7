import { spawnSync } from 'node:child_process';
import { userInfo } from 'node:os';
import { fileURLToPath } from 'node:url';

/** @typedef {{ uid: number, gid: number, needsPrivilege: boolean }} PostgresUser */

/**
 * The user of the PostgreSQL server. It refuses to run as root, so root runs it as `postgres`, or else as `nobody`.
 *
 * @param {string} dir data folder; the user must be able to open its parents
 * @returns {PostgresUser | undefined} undefined when this process is not root
 */
export function postgresUser(dir) {
  if (userInfo().uid !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    const ids = ['-u', '-g'].map((flag) => spawnSync('id', [flag, name], { encoding: 'utf8' }));
    const [uid, gid] = ids.map(({ status, stdout }) => (status === 0 ? Number(stdout) : undefined));
    if (uid === undefined || gid === undefined) continue;
    return { uid, gid, needsPrivilege: !canReach({ uid, gid }, [dir, fileURLToPath(import.meta.url)]) };
  }
  throw new Error(
    'PostgreSQL does not run as root, and this machine has no user postgres or nobody: run as another user',
  );
}

/**
 * Adds the capability to open folders: the user cannot open a checkout below /root, or another closed folder.
 *
 * @param {PostgresUser | undefined} user
 * @param {import('./child.mjs').Launch} launch
 * @returns {import('./child.mjs').Launch}
 */
export function asUser(user, launch) {
  if (!user) return launch;
  const { uid, gid, needsPrivilege } = user;
  if (!needsPrivilege) return { ...launch, uid, gid };
  const who = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  const capability = ['--inh-caps=+dac_override', '--ambient-caps=+dac_override'];
  return { ...launch, command: 'setpriv', args: [...who, ...capability, launch.command, ...launch.args] };
}

/**
 * @param {{ uid: number, gid: number }} user
 * @param {string[]} paths
 */
function canReach(user, paths) {
  return paths.every((path) => spawnSync('ls', ['-d', path], { ...user, stdio: 'ignore', cwd: '/' }).status === 0);
}
