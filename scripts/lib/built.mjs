import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './paths.mjs';
import { UserError } from './settings.mjs';

/**
 * Imports a compiled module of the apps.
 *
 * @param {string} path below dist
 * @throws UserError when it was not built
 */
export async function built(path) {
  const file = join(ROOT, 'dist', path);
  if (!existsSync(file)) throw new UserError(`${file} is missing: build it first (npm run build)`);
  return import(file);
}
