import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../../scripts/lib/paths.mjs';

/** A text of the built apps, and what becomes of it. */
export interface Patch {
  /** In `dist`. */
  readonly file: string;
  /** Must be there exactly once. */
  readonly text: string;
  readonly becomes: string;
}

/** A copy of the built apps with a bug in it. */
export interface PlantedBuild {
  /** Where to start the apps from: it holds `dist`, and what the apps need beside it. */
  readonly home: string;
  remove(): void;
}

/**
 * Copies the built apps and plants a bug. The product has no switch for it: what is tested is what is shipped, but for one
 * line.
 *
 * @param name of the bug, for the folder
 * @param root where `dist` is
 * @throws Error when the text to be replaced is not there exactly once: the code has changed, and the bug must, too
 */
export function plantedBuild(name: string, patches: readonly Patch[], root = ROOT): PlantedBuild {
  const home = mkdtempSync(join(tmpdir(), `posthorn-planted-${name}-`));
  const remove = () => rmSync(home, { recursive: true, force: true });
  try {
    cpSync(join(root, 'dist'), join(home, 'dist'), { recursive: true });
    // The apps' own imports (#common/…) are those of the nearest package.
    cpSync(join(root, 'package.json'), join(home, 'package.json'));
    symlinkSync(join(ROOT, 'node_modules'), join(home, 'node_modules'));
    for (const patch of patches) plant(join(home, 'dist'), patch);
    return { home, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** @param dist folder of built files, changed in place. @throws Error unless the text is there exactly once */
export function plant(dist: string, { file, text, becomes }: Patch): void {
  const path = join(dist, file);
  const source = readFileSync(path, 'utf8');
  const found = source.split(text).length - 1;
  if (found !== 1) throw new Error(`${file} has this ${found} times, not once: ${text}`);
  writeFileSync(
    path,
    source.replace(text, () => becomes),
  );
}
