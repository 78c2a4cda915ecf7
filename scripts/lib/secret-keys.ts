import { existsSync } from 'node:fs';
import { keepSecrets } from './secrets.mjs';
import { readSettings, UserError } from './settings.mjs';

/**
 * The secret keys of the command's system.
 *
 * @returns `SECRET_KEYS`, or else the keys that `npm start` keeps on this machine
 * @throws UserError without keys
 */
export function secretKeys(env: NodeJS.ProcessEnv): string {
  const { paths } = readSettings(env);
  if (env.SECRET_KEYS) return env.SECRET_KEYS;
  if (existsSync(paths.secrets)) return keepSecrets(paths.secrets, env).secretKeys;
  throw new UserError('SECRET_KEYS is missing: give the value that control has');
}
