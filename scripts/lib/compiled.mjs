import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './paths.mjs';
import { UserError } from './settings.mjs';

/**
 * A module of the apps, from `dist`.
 *
 * @param {string} path from `dist`, without extension
 * @returns {Promise<any>}
 * @throws UserError when the apps are not built
 */
export async function compiled(path) {
  const file = join(ROOT, 'dist', `${path}.js`);
  if (!existsSync(file)) throw new UserError('The apps are not built. Build them first: npm run build');
  return import(pathToFileURL(file).href);
}
