import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../../scripts/lib/paths.mjs';

/** A text of the built apps, and its replacement. */
export interface Patch {
  /** Path within `dist`. */
  readonly file: string;
  /** Must occur exactly once. */
  readonly text: string;
  readonly becomes: string;
}

/** A copy of the built apps with a bug in it. */
export interface PlantedBuild {
  /** Folder from which the apps start: `dist`, and the other files that the apps need. */
  readonly home: string;
  remove(): void;
}

/**
 * Copies the built apps and plants a bug. The product has no switch for bugs: the test runs the shipped code, except
 * for one line.
 *
 * @param name of the bug, for the folder
 * @param root folder of `dist`
 * @throws Error unless the text occurs exactly once: after a change of the code, the bug must change, too
 */
export function plantedBuild(name: string, patches: readonly Patch[], root = ROOT): PlantedBuild {
  const home = mkdtempSync(join(tmpdir(), `posthorn-planted-${name}-`));
  const remove = () => rmSync(home, { recursive: true, force: true });
  try {
    cpSync(join(root, 'dist'), join(home, 'dist'), { recursive: true });
    // Node resolves #common/… by the nearest package.json.
    cpSync(join(root, 'package.json'), join(home, 'package.json'));
    symlinkSync(join(ROOT, 'node_modules'), join(home, 'node_modules'));
    for (const patch of patches) plant(join(home, 'dist'), patch);
    return { home, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** @param dist folder of built files, changed in place. @throws Error unless the text occurs exactly once */
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
