import { spawnSync } from 'node:child_process';

/**
 * A test that needs a program of the machine. Without it the test is skipped, saying what to install; where CI is set,
 * a skipped test fails the run (scripts/test.mjs).
 *
 * @param command answers `--version`
 * @param debianPackage that brings it
 */
export function itWith(command: string, debianPackage: string): jest.It {
  const isThere = spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
  if (isThere) return it;
  process.stderr.write(`${command} is missing, so tests are skipped: apt-get install ${debianPackage}\n`);
  return it.skip;
}
