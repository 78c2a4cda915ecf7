import { jest } from '@jest/globals';
import { runCommand } from './command.mjs';
import { UserError } from './settings.mjs';

/** @returns exit code of the process */
async function exitCodeOf(main: () => Promise<number | undefined>): Promise<typeof process.exitCode> {
  const before = process.exitCode;
  try {
    process.exitCode = undefined;
    await runCommand(main);
    return process.exitCode;
  } finally {
    process.exitCode = before;
  }
}

describe('runCommand', () => {
  it('given a command that returns a code, then that is the exit code', async () => {
    expect(await exitCodeOf(async () => 3)).toBe(3);
  });

  it('given a command that sets process.exitCode and returns nothing, then that code stays', async () => {
    const exitCode = await exitCodeOf(async () => {
      process.exitCode = 1;
      return undefined;
    });
    expect(exitCode).toBe(1);
  });

  it('given a UserError, then its message alone is printed', async () => {
    const write = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    expect(await exitCodeOf(() => Promise.reject(new UserError('wrong')))).toBe(1);
    expect(write.mock.calls).toEqual([['wrong\n']]);
    write.mockRestore();
  });
});
