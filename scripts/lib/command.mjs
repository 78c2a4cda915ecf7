import { UserError } from './settings.mjs';

/**
 * Runs a command. A UserError is printed as one message; other errors end the process with their stack.
 *
 * @param {() => Promise<number | void>} main returns the exit code; without one, `process.exitCode` applies
 */
export async function runCommand(main) {
  try {
    const exitCode = await main();
    if (exitCode !== undefined) process.exitCode = exitCode;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
