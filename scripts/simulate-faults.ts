import { randomInt } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { optionsOf } from './lib/options.mjs';
import { ROOT } from './lib/paths.mjs';
import { Progress } from './lib/progress.mjs';
import { UserError } from './lib/settings.mjs';
import { runTask } from './lib/task.mjs';

/*
 * `npm run simulate:faults -- --minutes 30 [--seed N] [--histories N]`: runs random histories of the whole system in
 * virtual time (docs/reliability.md). `--seed N --histories 1` prints one history step by step.
 */

/** The exports of test/simulation/simulate.ts that this command calls. */
interface Simulation {
  simulate(plan: { seed: number; seconds: number; histories: number; say: (line: string) => void }): Promise<Outcome>;
  storyOf(seed: number): Promise<string>;
}

interface Outcome {
  readonly failed: { readonly seed: number; readonly violations: readonly string[] } | undefined;
}

const OUT = join(ROOT, 'dist', 'simulation');
/** Last lines printed of a failed history. Another command prints all of it. */
const LAST_LINES = 60;
const MAX_SEED = 2 ** 31 - 1;

const progress = new Progress(process.stdout);

function readArguments(): { seed: number; minutes: number; histories: number } {
  const values = optionsOf({ minutes: { type: 'string' }, seed: { type: 'string' }, histories: { type: 'string' } });
  const histories = numberOf('histories', values.histories) ?? Number.POSITIVE_INFINITY;
  return {
    seed: numberOf('seed', values.seed) ?? randomInt(MAX_SEED),
    minutes: numberOf('minutes', values.minutes) ?? (values.histories === undefined ? 1 : Number.POSITIVE_INFINITY),
    histories,
  };
}

function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value >= 0) || text.trim() === '') throw new UserError(`--${name} takes a number, not "${text}"`);
  return value;
}

/** Compiles the simulation, with the product's code, into a folder of its own. */
async function compile() {
  mkdirSync(OUT, { recursive: true });
  const scope = { type: 'module', imports: { '#common/*.js': './libs/common/src/*.js' } };
  writeFileSync(join(OUT, 'package.json'), JSON.stringify(scope));
  const args = [join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '--project', 'tsconfig.simulation.json'];
  const launch = { command: process.execPath, args: [...args, '--pretty', 'false'], cwd: ROOT };
  await progress.step('Compile the simulation', () => runTask(launch, { failure: 'it does not compile' }));
}

/** @returns whether every history kept the promises */
async function main(): Promise<boolean> {
  const { seed, minutes, histories } = readArguments();
  await compile();
  const { Logger } = await import('@nestjs/common');
  // The product's log lines about faults would hide the results.
  Logger.overrideLogger(false);
  const { simulate, storyOf }: Simulation = await import(
    pathToFileURL(join(OUT, 'test', 'simulation', 'simulate.js')).href
  );
  progress.say(`first seed ${seed}`);
  const say = (line: string) => progress.say(line);
  const { failed } = await simulate({ seed, seconds: minutes * 60, histories, say });
  if (histories === 1) progress.say(await storyOf(seed));
  if (failed === undefined) return true;
  const lines = histories === 1 ? [] : (await storyOf(failed.seed)).split('\n').slice(-LAST_LINES);
  progress.say(['', ...lines, '', `history ${failed.seed} broke a promise:`, ...failed.violations].join('\n'));
  progress.say(`the whole story: npm run simulate:faults -- --seed ${failed.seed} --histories 1`);
  return false;
}

try {
  process.exit((await main()) ? 0 : 1);
} catch (error) {
  const isExpected = error instanceof UserError;
  progress.say(isExpected ? error.message : String(error instanceof Error ? error.stack : error));
  process.exit(1);
}
