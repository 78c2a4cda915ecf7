import { spawnSync } from 'node:child_process';

/** Runs commitlint with the rules of this repository. */
function problemsOf(message: string): string[] {
  const { stdout } = spawnSync('npx', ['--no-install', 'commitlint'], { input: message, encoding: 'utf8' });
  return [...stdout.matchAll(/\[([\w-]+)\]/g)].map(([, rule = '']) => rule);
}

describe('commit messages', () => {
  it.each([
    ['Batch parked-row writes per partition\n\nA statement per lane cost 40 µs.\n', []],
    ['Let the router look twice\n\nIt was wrong.\n', ['subject-names-change']],
    ['Updated the router\n\nIt was wrong.\n', ['subject-imperative']],
    ['Batch parked-row writes per partition\n', ['body-empty']],
    [`Batch ${'parked-row writes '.repeat(4)}\n\nWhy.\n`, ['header-max-length']],
  ])('%j breaks %j', (message, rules) => {
    expect(problemsOf(message)).toEqual(rules);
  });
});
