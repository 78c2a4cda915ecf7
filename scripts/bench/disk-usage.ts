import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Block size in bytes that `stat` counts by, on every file system. */
const BLOCK_BYTES = 512;

/**
 * The disk usage of a folder. Sparse files, e.g. Kafka's indexes, count only the blocks that were written.
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
