import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Of `stat`: it counts blocks of this size, whatever the file system's own are. */
const BLOCK_BYTES = 512;

/**
 * What a folder occupies. Sparse files, as Kafka's indexes, count with what is written of them.
 *
 * @returns bytes
 */
export async function diskBytes(dir: string): Promise<number> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  const sizes = entries.map((entry) => {
    const path = join(dir, entry.name);
    return entry.isDirectory() ? diskBytes(path) : fileBytes(path);
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

async function fileBytes(path: string) {
  const stat = await lstat(path).catch(() => undefined);
  return (stat?.blocks ?? 0) * BLOCK_BYTES;
}
