import { spawnSync } from 'node:child_process';

/**
 * A test that needs an installed program. Without the program the test is skipped, and its name says which package to
 * install. With CI set, a skipped test fails the run (scripts/test.mjs).
 *
 * @param command program with the option `--version`
 * @param debianPackage package of the program
 */
export function itWith(command: string, debianPackage: string): jest.It {
  const isThere = spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
  if (isThere) return it;
  process.stderr.write(`${command} is missing, so tests are skipped: apt-get install ${debianPackage}\n`);
  return it.skip;
}
