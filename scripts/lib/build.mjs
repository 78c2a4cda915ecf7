import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { appMain, CONTROL, WORKERS } from './apps.mjs';
import { ROOT } from './paths.mjs';
import { runTask } from './task.mjs';

const DIST = join(ROOT, 'dist');
/** Stamp of a build: digests of its sources and output. Missing during a build. */
const STAMP = join(DIST, '.built-from');

/**
 * Compiles the apps, unless `dist` is up to date.
 *
 * @param {{ signal?: AbortSignal | undefined, note: (text: string) => void }} options
 */
export async function buildApps({ signal, note }) {
  const sources = fingerprint();
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === sources + builtAt()) return note('up to date');
  await rm(DIST, { recursive: true, force: true });
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = [tsc, '--project', 'tsconfig.build.json', '--pretty', 'false'];
  await runTask({ command: process.execPath, args, cwd: ROOT }, { failure: 'the build failed', signal });
  await writeFile(STAMP, sources + builtAt());
}

/** @returns {string} changes when another build (`nest build ingest`) wrote an app since */
function builtAt() {
  const mains = [CONTROL, ...WORKERS].map(({ name }) => appMain(name));
  return mains.map((main) => ` ${statSync(main, { throwIfNoEntry: false })?.mtimeMs}`).join('');
}

/** @returns {string} changes with every file a build reads */
function fingerprint() {
  const folders = ['apps', 'libs'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.spec.ts'))
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  const settings = ['tsconfig.json', 'tsconfig.build.json', 'package-lock.json'].map((name) => join(ROOT, name));
  const hash = createHash('sha256');
  for (const file of [...folders.sort(), ...settings]) hash.update(`${file}\0`).update(readFileSync(file)).update('\0');
  return hash.digest('hex');
}
