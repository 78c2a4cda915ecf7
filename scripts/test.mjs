import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { runJest } from './lib/jest-run.mjs';
import { appNode } from './lib/node-binary.mjs';
import { ROOT } from './lib/paths.mjs';
import { prepare } from './lib/prepare.mjs';
import { Progress } from './lib/progress.mjs';
import { UserError } from './lib/settings.mjs';
import { stopSignal } from './lib/stop-signal.mjs';
import { runTask } from './lib/task.mjs';
import { checkKafkaTools } from './lib/toolchain.mjs';

/*
 * `npm test`: all checks of a change, also on a fresh clone. `npm test -- unit` runs one part: checks, unit,
 * integration, e2e or timing. Further arguments go to Jest: `npm test -- integration router`. The part nightly runs
 * only when named.
 */

/** @typedef {{ name: string, args: readonly string[], needsKafka?: true, isNightly?: true }} Project */

/** Jest's projects, in the order in which they run. */
const PROJECTS = /** @satisfies {readonly Project[]} */ ([
  // A minute of simulation, in parallel with the other files.
  { name: 'unit', args: ['--maxWorkers=2'] },
  { name: 'integration', args: ['--maxWorkers=3'], needsKafka: true },
  { name: 'e2e', args: ['--maxWorkers=2'], needsKafka: true },
  // Tests with limits of a second or less: one file at a time.
  { name: 'timing', args: ['--runInBand'], needsKafka: true },
  { name: 'nightly', args: ['--runInBand'], needsKafka: true, isNightly: true },
]);
const NIGHTLY_SUFFIX = '.nightly.spec.ts';

/** Packages have their own settings: those of the server do not include them. */
const PACKAGES = ['packages', 'web']
  .flatMap((folder) => subfolders(folder))
  .filter((folder) => existsSync(join(ROOT, folder, 'tsconfig.json')));

/** @param {string} folder folder below the root */
function subfolders(folder) {
  const path = join(ROOT, folder);
  return existsSync(path) ? readdirSync(path).map((name) => `${folder}/${name}`) : [];
}

/** Checks; each counts as one test. `args` are Node's arguments. */
const CHECKS = [
  { title: 'Lint', args: ['@biomejs/biome/bin/biome', 'check', '.'] },
  {
    title: 'Import rules',
    args: [
      'dependency-cruiser/bin/dependency-cruiser.mjs',
      ...['--config', '.dependency-cruiser.mjs', 'apps', 'libs', 'scripts', 'test'],
    ],
  },
  {
    title: 'Folder rules',
    args: [
      'dependency-cruiser/bin/dependency-cruiser.mjs',
      ...['--config', '.dependency-cruiser.folders.mjs', 'apps', 'libs/common'],
    ],
  },
  { title: 'Types', args: ['typescript/bin/tsc', '--noEmit', '--pretty', 'false'] },
  ...PACKAGES.map((project) => ({
    title: `Types of ${project}`,
    args: ['typescript/bin/tsc', '--noEmit', '--pretty', 'false', '--project', project],
  })),
];

const progress = new Progress(process.stdout);
const stop = stopSignal();
stop.signal.addEventListener('abort', () => setTimeout(() => process.exit(130), 1_000).unref());

/**
 * @param {string} node
 * @returns {Promise<import('./lib/jest-run.mjs').Tally>}
 */
async function runChecks(node) {
  const tally = { passed: 0, failed: 0, skipped: 0 };
  for (const { title, args } of CHECKS) {
    const [script, ...rest] = /** @type {[string, ...string[]]} */ (args);
    const launch = { command: node, args: [join(ROOT, 'node_modules', script), ...rest], cwd: ROOT };
    try {
      await progress.step(title, () => runTask(launch, { failure: `${title} failed`, signal: stop.signal }));
      tally.passed++;
    } catch (error) {
      progress.say(error instanceof Error ? error.message : String(error));
      tally.failed++;
    }
  }
  return tally;
}

/**
 * @param {string[]} words
 * @returns {{ parts: string[], jestArgs: string[] }}
 */
function readArguments(words) {
  const all = ['checks', ...PROJECTS.map(({ name }) => name)];
  const nightly = PROJECTS.filter(({ isNightly }) => isNightly).map(({ name }) => name);
  const [part, ...jestArgs] = words;
  if (part === undefined) return { parts: all.filter((name) => !nightly.includes(name)), jestArgs };
  if (!all.includes(part)) throw new UserError(`There is no part "${part}": ${all.join(', ')}`);
  return { parts: [part], jestArgs };
}

/** @returns {string} the parts that `npm test` leaves out, and how to run them */
function nightlyNote() {
  const files = readdirSync(join(ROOT, 'test'), { recursive: true }).map(String);
  const names = files.filter((file) => file.endsWith(NIGHTLY_SUFFIX)).map((file) => basename(file, NIGHTLY_SUFFIX));
  return `Left to the nightly run: ${names.sort().join(', ')}. Run them: npm test -- nightly; with every fault: .ci/nightly`;
}

/** @returns {Promise<import('./lib/jest-run.mjs').Tally>} */
async function main() {
  const { parts, jestArgs } = readArguments(process.argv.slice(2));
  const projects = PROJECTS.filter(({ name }) => parts.includes(name));
  const needsKafka = projects.some((project) => project.needsKafka);
  if (needsKafka) checkKafkaTools(process.env);
  await prepare(progress, { signal: stop.signal, needsKafka, workspaces: true });
  const node = appNode();
  const tallies = parts.includes('checks') ? [await runChecks(node)] : [];
  for (const { name, args } of projects) {
    progress.say(`\n— ${name} tests —`);
    tallies.push(await runJest(name, { node, args: [...args, ...jestArgs] }));
    stop.signal.throwIfAborted();
  }
  if (parts.length > 1) progress.say(`\n${nightlyNote()}`);
  const sum = (/** @type {'passed' | 'failed' | 'skipped'} */ field) =>
    tallies.reduce((n, tally) => n + tally[field], 0);
  return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') };
}

try {
  const { passed, failed, skipped } = await main();
  // On a CI machine a skipped test fails the run, so that every check runs somewhere.
  const counted = process.env.CI ? failed + skipped : failed;
  if (skipped > 0) progress.say(`${skipped} skipped${process.env.CI ? ', which counts as failed here' : ''}`);
  progress.say(`\n${passed} passed, ${counted} failed`);
  process.exit(counted === 0 ? 0 : 1);
} catch (error) {
  const isExpected = error instanceof UserError || stop.signal.aborted;
  progress.say(
    `\n${isExpected && error instanceof Error ? error.message : error instanceof Error ? error.stack : error}`,
  );
  progress.say('\n0 passed, 1 failed');
  process.exit(1);
}
