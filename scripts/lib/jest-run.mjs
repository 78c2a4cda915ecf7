import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './paths.mjs';

/** Time for Jest to exit after its report. */
const EXIT_LIMIT_MS = 15_000;

/** @typedef {{ passed: number, failed: number, skipped: number }} Tally */

/**
 * Runs the tests of one project of jest.config.mjs, with Jest's own output.
 *
 * @param {string} project
 * @param {{ node: string, args: string[] }} options
 * @returns {Promise<Tally>} a file that could not be run, and a run that found no tests, count as one failure
 */
export async function runJest(project, { node, args }) {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-jest-'));
  const report = join(folder, 'report.json');
  try {
    const jest = join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js');
    const output = ['--json', `--outputFile=${report}`];
    const options = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', jest];
    const exitCode = await run(node, [...options, `--selectProjects=${project}`, ...output, ...args], report);
    return tally(report, exitCode);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} report file that Jest writes last
 * @returns {Promise<number | null>} exit code; 0 when Jest was killed after its report, which has every result
 */
function run(command, args, report) {
  // Jest repeats the report on standard output.
  const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
  // A failed test may leave a server running. Jest would wait for it without end.
  let isReported = false;
  const watch = setInterval(() => {
    if (!existsSync(report) || Date.now() - statSync(report).mtimeMs <= EXIT_LIMIT_MS) return;
    isReported = true;
    child.kill('SIGKILL');
  }, 1_000);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      if (isReported) console.log('Jest was ended: something still ran behind the last test.');
      resolve(isReported ? 0 : code);
    });
  }).finally(() => clearInterval(watch));
}

/**
 * @param {string} report
 * @param {number | null} exitCode
 * @returns {Tally}
 */
function tally(report, exitCode) {
  let results;
  try {
    results = JSON.parse(readFileSync(report, 'utf8'));
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
  const isSilentFailure = failed === 0 && (exitCode !== 0 || results.numTotalTests === 0);
  return {
    passed: results.numPassedTests,
    failed: failed + (isSilentFailure ? 1 : 0),
    skipped: results.numPendingTests + results.numTodoTests,
  };
}
